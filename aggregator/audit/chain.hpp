// The check of a whole log: each line in its place, each naming the one before, all of them the tree that was signed; and when not, which
// entry is the first bad one. Sans I/O; the log, the command line and the tests use the same one.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "protocol/authority/checkpoint.hpp"
#include "protocol/authority/merkle.hpp"

namespace fw::audit {

struct Damage {
  std::uint64_t seq = 0;    // the first bad entry
  std::string why;
  // true: every other entry under the head was shown to be as it was signed. false: this entry is the likeliest one, or the first of several.
  bool alone = false;
};

// Threading: one executor. Memory: 64 bytes for each line.
class Chain {
 public:
  void add(std::string_view line);              // without its end
  std::uint64_t size() const noexcept { return tree_.size(); }
  const authority::Tree& tree() const noexcept { return tree_; }
  authority::Tree take_tree() { return std::move(tree_); }
  // What is wrong with the entries under that head; nothing: they are what was signed. Lines after it are not looked at.
  std::optional<Damage> check(const authority::Checkpoint& head) const;

 private:
  enum class Kind : std::uint8_t { not_an_entry, wrong_place, not_linked };
  struct Break {                                // the first line that does not follow the ones before it
    Kind kind = Kind::not_an_entry;
    std::uint64_t seq = 0, says_seq = 0;
    authority::Digest says_prev{}, mended{};    // leaf of the line if it named the entry before it
    bool repeated = false;                      // it is the line before once more
    bool claims_place_before = false;           // it would follow the entry before the one before
    std::optional<bool> next_follows;           // whether the line after it names it
    std::string why;
  };
  Damage locate(const authority::Checkpoint& head) const;
  authority::Digest root_with(std::uint64_t index, const authority::Digest& leaf, std::uint64_t size) const;

  authority::Tree tree_;
  std::optional<Break> break_;
};

}  // namespace fw::audit
