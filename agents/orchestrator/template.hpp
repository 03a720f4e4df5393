// Sentences with holes. "{name}" is a fact; a part in [brackets] is left out when one of its facts is not known.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace fw::agents {

using Lookup = std::function<std::optional<std::string>(const std::string&)>;

// Errc::malformed: a brace or bracket is not closed, or brackets are nested.
Result<std::vector<std::string>> template_names(std::string_view text);

// A fact outside of brackets that is not known gives nullopt. The template has been checked.
std::optional<std::string> fill(std::string_view text, const Lookup& lookup);

// Text of others made safe to show: control and bidirectional characters and invalid UTF-8 become U+FFFD; cut at 200 bytes.
std::string printable(std::string_view text);

// One word of a shell command; nullopt when the text holds bytes that no person should paste.
std::optional<std::string> shell_word(std::string_view text);

}  // namespace fw::agents
