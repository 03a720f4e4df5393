#include "protocol/authority/merkle.hpp"

#include <gtest/gtest.h>

#include "common/id.hpp"

namespace fw::authority {
namespace {

// The definition of RFC 6962, section 2.1, word by word: no levels, no bit tricks.
Digest naive_hash(std::string bytes) { return sha256({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}); }
std::string text_of(const Digest& digest) { return {digest.begin(), digest.end()}; }

Digest naive_root(const std::vector<std::string>& entries) {
  if (entries.empty()) return naive_hash("");
  if (entries.size() == 1) return naive_hash(std::string(1, '\0') + entries[0]);
  std::size_t k = 1;
  while (k * 2 < entries.size()) k *= 2;
  const auto middle = entries.begin() + static_cast<std::ptrdiff_t>(k);
  return naive_hash("\1" + text_of(naive_root({entries.begin(), middle})) + text_of(naive_root({middle, entries.end()})));
}

std::vector<std::string> first_entries(std::size_t count) {
  std::vector<std::string> entries;
  for (std::size_t i = 0; i < count; ++i) entries.push_back("entry " + std::to_string(i * i));
  return entries;
}

Tree tree_of(const std::vector<std::string>& entries) {
  Tree tree;
  for (const auto& entry : entries) tree.append(leaf_hash(entry));
  return tree;
}

constexpr std::size_t kMost = 70;

const Tree& big_tree() {
  static const Tree tree = tree_of(first_entries(kMost));
  return tree;
}

// The test tree of RFC 6962's reference programs: eight leaves of 0 to 16 bytes, and the roots that other implementations print.
TEST(Merkle, known_roots_of_the_eight_leaf_tree) {
  const char* const leaves[] = {"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
  const char* const roots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                               "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                               "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                               "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                               "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                               "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                               "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                               "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  Tree tree;
  EXPECT_EQ(to_hex(tree.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  std::vector<std::string> entries;
  for (std::size_t i = 0; i < 8; ++i) {
    entries.push_back(*from_hex(leaves[i]));
    tree.append(leaf_hash(entries.back()));
    EXPECT_EQ(to_hex(tree.root()), roots[i]);
    EXPECT_EQ(naive_root(entries), tree.root());
  }
}

TEST(Merkle, every_root_is_the_definition_s) {
  for (std::size_t size = 0; size <= kMost; ++size) EXPECT_EQ(big_tree().root_at(size), naive_root(first_entries(size))) << size;
}

TEST(Merkle, every_inclusion_is_proven_and_every_other_place_refused) {
  for (std::uint64_t size = 1; size <= kMost; ++size) {
    const auto root = big_tree().root_at(size);
    for (std::uint64_t index = 0; index < size; ++index) {
      const auto leaf = big_tree().leaf(index);
      const auto path = *big_tree().inclusion(index, size);
      ASSERT_TRUE(verify_inclusion(leaf, index, size, path, root)) << index << " of " << size;
      const auto other = (index + 1) % size;
      if (size > 1) { ASSERT_FALSE(verify_inclusion(leaf, other, size, path, root)) << index << " as " << other << " of " << size; }
      ASSERT_FALSE(verify_inclusion(leaf, size, size, path, root));
      ASSERT_FALSE(verify_inclusion(sha256({}), index, size, path, root));
    }
  }
}

TEST(Merkle, a_path_with_one_bit_changed_or_of_another_length_is_refused) {
  for (const auto size : std::initializer_list<std::uint64_t>{1, 2, 3, 7, 8, 33, 70}) {
    const auto root = big_tree().root_at(size);
    for (std::uint64_t index = 0; index < size; index += 3) {
      const auto leaf = big_tree().leaf(index);
      auto path = *big_tree().inclusion(index, size);
      for (auto& hash : path) {
        hash[5] ^= 0x10;
        EXPECT_EQ(verify_inclusion(leaf, index, size, path, root).error().code, Errc::permission);
        hash[5] ^= 0x10;
      }
      path.push_back(Digest{});
      EXPECT_EQ(verify_inclusion(leaf, index, size, path, root).error().code, Errc::malformed);
      path.pop_back();
      if (path.empty()) continue;
      path.pop_back();
      EXPECT_EQ(verify_inclusion(leaf, index, size, path, root).error().code, Errc::malformed);
    }
  }
}

TEST(Merkle, every_consistency_is_proven_and_every_other_size_refused) {
  for (std::uint64_t to = 0; to <= kMost; ++to) {
    for (std::uint64_t from = 0; from <= to; ++from) {
      const auto proof = *big_tree().consistency(from, to);
      const auto from_root = big_tree().root_at(from), to_root = big_tree().root_at(to);
      ASSERT_TRUE(verify_consistency(from, from_root, to, to_root, proof)) << from << " to " << to;
      if (from == 0 || from == to) {
        ASSERT_TRUE(proof.empty());
        continue;
      }
      ASSERT_FALSE(verify_consistency(from, to_root, to, from_root, proof)) << from << " to " << to;
      ASSERT_FALSE(verify_consistency(from, from_root, to, from_root, proof)) << from << " to " << to;
      ASSERT_FALSE(verify_consistency(from - 1, big_tree().root_at(from - 1), to, to_root, proof)) << from << " to " << to;
      ASSERT_FALSE(verify_consistency(to, to_root, from, from_root, proof)) << from << " to " << to;
    }
  }
}

TEST(Merkle, a_consistency_proof_with_one_bit_changed_or_of_another_length_is_refused) {
  for (const auto& [from, to] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{{1, 2}, {3, 7}, {4, 7}, {6, 8}, {8, 70}, {33, 64}, {64, 70}}) {
    auto proof = *big_tree().consistency(from, to);
    const auto from_root = big_tree().root_at(from), to_root = big_tree().root_at(to);
    for (auto& hash : proof) {
      hash[31] ^= 1;
      EXPECT_EQ(verify_consistency(from, from_root, to, to_root, proof).error().code, Errc::permission);
      hash[31] ^= 1;
    }
    proof.push_back(Digest{});
    EXPECT_EQ(verify_consistency(from, from_root, to, to_root, proof).error().code, Errc::malformed);
    proof.pop_back();
    proof.pop_back();
    EXPECT_EQ(verify_consistency(from, from_root, to, to_root, proof).error().code, Errc::malformed);
  }
}

TEST(Merkle, two_trees_of_one_size_are_told_apart) {
  EXPECT_EQ(verify_consistency(5, big_tree().root_at(5), 5, big_tree().root_at(4), {}).error().code, Errc::permission);
  EXPECT_EQ(verify_consistency(5, big_tree().root_at(5), 5, big_tree().root_at(5), {Digest{}}).error().code, Errc::malformed);
  EXPECT_EQ(verify_consistency(0, Digest{}, 5, big_tree().root_at(5), {Digest{}}).error().code, Errc::malformed);
  EXPECT_TRUE(verify_consistency(0, Digest{}, 5, big_tree().root_at(5), {}));
}

TEST(Merkle, there_are_no_proofs_about_leaves_that_are_not_there) {
  EXPECT_EQ(big_tree().inclusion(3, kMost + 1).error().code, Errc::invalid_argument);
  EXPECT_EQ(big_tree().inclusion(7, 7).error().code, Errc::invalid_argument);
  EXPECT_EQ(big_tree().consistency(8, 7).error().code, Errc::invalid_argument);
  EXPECT_EQ(big_tree().consistency(3, kMost + 1).error().code, Errc::invalid_argument);
}

// Sizes that no memory holds: the checks are arithmetic on places, not on leaves.
TEST(Merkle, places_of_64_bits_are_no_trouble) {
  constexpr auto kHuge = ~std::uint64_t{0};
  EXPECT_EQ(verify_inclusion({}, kHuge - 1, kHuge, {}, {}).error().code, Errc::malformed);
  EXPECT_EQ(verify_inclusion({}, kHuge - 1, kHuge, std::vector<Digest>(62), {}).error().code, Errc::malformed);
  EXPECT_EQ(verify_inclusion({}, 0, kHuge, std::vector<Digest>(64), {}).error().code, Errc::permission);
  EXPECT_EQ(verify_consistency(1, {}, kHuge, {}, std::vector<Digest>(64)).error().code, Errc::permission);
}

}  // namespace
}  // namespace fw::authority
