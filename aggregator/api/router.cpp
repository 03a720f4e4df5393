#include "aggregator/api/router.hpp"

#include <optional>

namespace fw::api {
namespace {

// The segment that stands for "{id}" ("" when the pattern has none), or nothing when the path does not match.
std::optional<std::string> match_pattern(std::string_view pattern, std::string_view path) {
  const auto open = pattern.find("{id}");
  if (open == std::string_view::npos) {
    if (pattern == path) return "";
    return std::nullopt;
  }
  const std::string_view before = pattern.substr(0, open);
  const std::string_view after = pattern.substr(open + 4);
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) || !path.ends_with(after)) return std::nullopt;
  const std::string_view id = path.substr(before.size(), path.size() - before.size() - after.size());
  if (id.find('/') != std::string_view::npos) return std::nullopt;
  return std::string(id);
}

bool accepts(const Route& route, Method method) {
  return route.method == method || (route.method == Method::get && method == Method::head);
}

}  // namespace

Match Router::match(Method method, std::string_view path) const {
  Match found;
  for (const auto& route : routes_) {
    const auto id = match_pattern(route.pattern, path);
    if (!id) continue;
    if (accepts(route, method)) return {&route, *id, ""};
    found.allow += (found.allow.empty() ? "" : ", ") + std::string(route.method == Method::get ? "GET, HEAD" : "POST");
  }
  return found;
}

}  // namespace fw::api
