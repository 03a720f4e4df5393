#include "tests/simulation/heads.hpp"

#include <algorithm>
#include <charconv>

#include "common/base64.hpp"

namespace fw::sim {

using authority::Digest;

namespace {

Digest hash_of(std::uint8_t prefix, ByteView a, ByteView b = {}) {
  Bytes input(1, prefix);
  input.insert(input.end(), a.begin(), a.end());
  input.insert(input.end(), b.begin(), b.end());
  return authority::sha256(input);
}

}  // namespace

void Frontier::append(const std::string& leaf) {
  subtrees_.emplace_back(1, hash_of(0, {reinterpret_cast<const std::uint8_t*>(leaf.data()), leaf.size()}));
  while (subtrees_.size() > 1 && subtrees_.back().first == subtrees_[subtrees_.size() - 2].first) {
    const auto right = subtrees_.back();
    subtrees_.pop_back();
    subtrees_.back() = {right.first * 2, hash_of(1, subtrees_.back().second, right.second)};
  }
}

Digest Frontier::root() const {
  if (subtrees_.empty()) return authority::sha256({});
  auto root = subtrees_.back().second;
  for (std::size_t i = subtrees_.size() - 1; i-- > 0;) root = hash_of(1, subtrees_[i].second, root);
  return root;
}

std::optional<HeadName> head_of(std::string_view note) {
  std::string lines[3];
  for (auto& line : lines) {
    const auto end = note.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    line = note.substr(0, end);
    note.remove_prefix(end + 1);
  }
  HeadName head;
  head.origin = lines[0];
  const auto parsed = std::from_chars(lines[1].data(), lines[1].data() + lines[1].size(), head.size);
  const auto root = decode_base64(lines[2]);
  if (parsed.ec != std::errc() || !root || root->size() != head.root.size()) return std::nullopt;
  std::copy(root->begin(), root->end(), head.root.begin());
  return head;
}

bool Heads::continues(const HeadName& earlier, const HeadName& later) const {
  if (earlier.size == 0) return true;
  const auto* a = leaves(earlier);
  const auto* b = leaves(later);
  if (a == nullptr || b == nullptr || earlier.size > later.size) return false;
  return std::equal(a->begin(), a->begin() + static_cast<std::ptrdiff_t>(earlier.size), b->begin());
}

}  // namespace fw::sim
