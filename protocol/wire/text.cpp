#include "protocol/wire/text.hpp"

#include <boost/locale/utf.hpp>

namespace fw::wire {
namespace {

// Length of the valid character at the start of `text`, 0 when there is none.
std::size_t character_bytes(std::string_view text) {
  namespace utf = boost::locale::utf;
  const char* at = text.data();
  const utf::code_point code = utf::utf_traits<char>::decode(at, text.data() + text.size());
  if (code == utf::illegal || code == utf::incomplete || code == 0) return 0;
  return static_cast<std::size_t>(at - text.data());
}

}  // namespace

bool is_wire_text(std::string_view text) {
  while (!text.empty()) {
    const auto bytes = character_bytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string to_wire_text(std::string_view bytes) {
  std::string out(bytes);
  for (std::size_t i = 0; i < out.size();) {
    const auto length = character_bytes(std::string_view(out).substr(i));
    if (length == 0) out[i] = '?';
    i += length == 0 ? 1 : length;
  }
  return out;
}

}  // namespace fw::wire
