// The Merkle tree of RFC 6962 (section 2.1) over SHA-256, and its proofs as RFC 9162 checks them.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "protocol/authority/crypto.hpp"

namespace fw::authority {

Digest leaf_hash(std::string_view entry);                       // SHA-256(0x00 || entry)
Digest node_hash(const Digest& left, const Digest& right);      // SHA-256(0x01 || left || right)
Digest empty_root();                                            // SHA-256("")

// Errc::permission: the proof does not lead to the root; Errc::malformed: it cannot, whatever the hashes (index, sizes, length).
Result<void> verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size, const std::vector<Digest>& path, const Digest& root);
// from_size 0 is consistent with everything and has an empty proof.
Result<void> verify_consistency(std::uint64_t from_size, const Digest& from_root, std::uint64_t to_size, const Digest& to_root,
                                const std::vector<Digest>& proof);

// Append-only tree with its inner hashes: 64 bytes per leaf in memory. Threading: one executor.
class Tree {
 public:
  void append(const Digest& leaf);
  std::uint64_t size() const noexcept { return levels_.empty() ? 0 : levels_.front().size(); }
  Digest root() const { return root_at(size()); }
  const Digest& leaf(std::uint64_t index) const;                // index < size()
  // Errc::invalid_argument when size is above size(), index not below it, from above to.
  Digest root_at(std::uint64_t size) const;                     // size <= size()
  Result<std::vector<Digest>> inclusion(std::uint64_t index, std::uint64_t size) const;
  Result<std::vector<Digest>> consistency(std::uint64_t from, std::uint64_t to) const;

 private:
  Digest range(std::uint64_t begin, std::uint64_t end) const;   // MTH of the leaves [begin, end)
  std::vector<std::vector<Digest>> levels_;                     // [h][i]: complete subtree of 2^h leaves from i * 2^h
};

}  // namespace fw::authority
