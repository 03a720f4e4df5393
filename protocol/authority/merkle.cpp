#include "protocol/authority/merkle.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

namespace fw::authority {
namespace {

constexpr std::uint8_t kLeafPrefix = 0, kNodePrefix = 1;

// The largest power of two below n: where RFC 6962 splits a tree of n > 1 leaves.
std::uint64_t split_of(std::uint64_t n) { return std::bit_floor(n - 1); }

bool odd(std::uint64_t n) { return (n & 1U) != 0; }

Error cannot(std::string why) { return Error{Errc::malformed, std::move(why)}; }

}  // namespace

Digest leaf_hash(std::string_view entry) {
  Bytes bytes;
  bytes.reserve(entry.size() + 1);
  bytes.push_back(kLeafPrefix);
  bytes.insert(bytes.end(), entry.begin(), entry.end());
  return sha256(bytes);
}

Digest node_hash(const Digest& left, const Digest& right) {
  std::array<std::uint8_t, 65> bytes;
  bytes[0] = kNodePrefix;
  std::copy(left.begin(), left.end(), bytes.begin() + 1);
  std::copy(right.begin(), right.end(), bytes.begin() + 33);
  return sha256(bytes);
}

Digest empty_root() { return sha256({}); }

Result<void> verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size, const std::vector<Digest>& path,
                              const Digest& root) {
  if (index >= size) return cannot(fmt::format("entry {} is not in a log of {} entries", index, size));
  auto node = index, last = size - 1;   // on the level of `hash`: its place, and the place of the last one
  auto hash = leaf;
  for (const auto& sibling : path) {
    if (last == 0) return cannot("the inclusion proof is too long");
    if (odd(node) || node == last) {
      hash = node_hash(sibling, hash);
      while (!odd(node) && node != 0) {   // levels on which this node is the last one and has no sibling
        node >>= 1U;
        last >>= 1U;
      }
    } else {
      hash = node_hash(hash, sibling);
    }
    node >>= 1U;
    last >>= 1U;
  }
  if (last != 0) return cannot("the inclusion proof is too short");
  if (hash != root) return Error{Errc::permission, fmt::format("entry {} is not in this tree of {} entries", index, size)};
  return {};
}

Result<void> verify_consistency(std::uint64_t from_size, const Digest& from_root, std::uint64_t to_size, const Digest& to_root,
                                const std::vector<Digest>& proof) {
  if (from_size > to_size) return cannot(fmt::format("a log of {} entries cannot come after one of {}", to_size, from_size));
  if (from_size == 0 || from_size == to_size) {
    if (!proof.empty()) return cannot("this consistency proof must be empty");
    if (from_size == to_size && from_root != to_root)
      return Error{Errc::permission, fmt::format("two different trees of {} entries", to_size)};
    return {};
  }
  if (proof.empty()) return cannot("the consistency proof is too short");
  auto node = from_size - 1, last = to_size - 1;
  while (odd(node)) {
    node >>= 1U;
    last >>= 1U;
  }
  // The old tree is a complete subtree of the new one when its size is a power of two: then its root is not in the proof.
  const bool complete = std::has_single_bit(from_size);
  auto next = proof.begin();
  auto from_hash = complete ? from_root : *next;
  auto to_hash = from_hash;
  if (!complete) ++next;
  for (; next != proof.end(); ++next) {
    if (last == 0) return cannot("the consistency proof is too long");
    if (odd(node) || node == last) {
      from_hash = node_hash(*next, from_hash);
      to_hash = node_hash(*next, to_hash);
      while (!odd(node) && node != 0) {
        node >>= 1U;
        last >>= 1U;
      }
    } else {
      to_hash = node_hash(to_hash, *next);
    }
    node >>= 1U;
    last >>= 1U;
  }
  if (last != 0) return cannot("the consistency proof is too short");
  if (from_hash != from_root || to_hash != to_root)
    return Error{Errc::permission, fmt::format("the tree of {} entries does not continue the one of {}", to_size, from_size)};
  return {};
}

void Tree::append(const Digest& leaf) {
  auto hash = leaf;
  for (std::size_t level = 0;; ++level) {
    if (level == levels_.size()) levels_.emplace_back();
    levels_[level].push_back(hash);
    const auto count = levels_[level].size();
    if (odd(count)) return;
    hash = node_hash(levels_[level][count - 2], levels_[level][count - 1]);
  }
}

Digest Tree::range(std::uint64_t begin, std::uint64_t end) const {
  const auto count = end - begin;
  if (std::has_single_bit(count)) {
    const auto level = static_cast<std::size_t>(std::countr_zero(count));
    return levels_[level][begin >> level];   // RFC 6962 splits so that begin is a multiple of count
  }
  const auto middle = begin + split_of(count);
  return node_hash(range(begin, middle), range(middle, end));
}

Digest Tree::root_at(std::uint64_t size) const {
  FW_ASSERT(size <= this->size(), "a root of leaves that are not there");
  return size == 0 ? empty_root() : range(0, size);
}

const Digest& Tree::leaf(std::uint64_t index) const {
  FW_ASSERT(index < size(), "a leaf that is not there");
  return levels_.front()[index];
}

Result<std::vector<Digest>> Tree::inclusion(std::uint64_t index, std::uint64_t size) const {
  if (size > this->size() || index >= size)
    return Error{Errc::invalid_argument, fmt::format("no entry {} in a log of {} entries", index, std::min(size, this->size()))};
  std::vector<Digest> path;
  std::uint64_t begin = 0, end = size;
  while (end - begin > 1) {
    const auto middle = begin + split_of(end - begin);
    if (index < middle) {
      path.push_back(range(middle, end));
      end = middle;
    } else {
      path.push_back(range(begin, middle));
      begin = middle;
    }
  }
  std::reverse(path.begin(), path.end());
  return path;
}

Result<std::vector<Digest>> Tree::consistency(std::uint64_t from, std::uint64_t to) const {
  if (to > size() || from > to)
    return Error{Errc::invalid_argument, fmt::format("no proof from {} to {} in a log of {} entries", from, to, size())};
  std::vector<Digest> proof;
  if (from == 0 || from == to) return proof;
  std::uint64_t begin = 0, end = to;
  while (end != from) {
    const auto middle = begin + split_of(end - begin);
    if (from <= middle) {
      proof.push_back(range(middle, end));
      end = middle;
    } else {
      proof.push_back(range(begin, middle));
      begin = middle;
    }
  }
  if (begin != 0) proof.push_back(range(begin, end));   // else it is the old root itself
  std::reverse(proof.begin(), proof.end());
  return proof;
}

}  // namespace fw::authority
