#include "protocol/authority/text.hpp"

#include <boost/locale/utf.hpp>

namespace fw::authority {
namespace {

namespace utf = boost::locale::utf;

bool in(utf::code_point code, utf::code_point first, utf::code_point last) { return first <= code && code <= last; }

bool is_visible(utf::code_point code, TextKind kind) {
  if (code == '\n') return kind == TextKind::prose;
  if (code < 0x20 || in(code, 0x7f, 0x9f)) return false;              // C0, DEL, C1
  if (in(code, 0x200c, 0x200d)) return kind == TextKind::prose;       // zero-width joiners
  return code != 0xad && code != 0x61c && code != 0xfeff &&           // soft hyphen, Arabic letter mark, byte order mark
         !in(code, 0x200b, 0x200f) && !in(code, 0x2028, 0x202e) && !in(code, 0x2060, 0x206f) && !in(code, 0xe0000, 0xe007f);
}

}  // namespace

bool is_document_text(std::string_view text, TextKind kind) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const utf::code_point code = utf::utf_traits<char>::decode(at, end);
    if (code == utf::illegal || code == utf::incomplete || !is_visible(code, kind)) return false;
  }
  return true;
}

}  // namespace fw::authority
