// "Did you mean": the nearest known word. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fw::cli {

// Nothing when none is near enough to be meant (more than a third of its letters differ).
std::optional<std::string> nearest_word(std::string_view word, const std::vector<std::string>& known);

}  // namespace fw::cli
