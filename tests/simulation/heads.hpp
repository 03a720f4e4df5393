// Every tree head that anybody signed with a log key, with the leaves under it: the truth about what could be seen of an audit log.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/authority/crypto.hpp"

namespace fw::sim {

struct HeadName {
  std::string origin;
  std::uint64_t size = 0;
  authority::Digest root{};
  friend auto operator<=>(const HeadName&, const HeadName&) = default;
};

// RFC 6962 a second time: the roots of the complete subtrees from the left, nothing else.
class Frontier {
 public:
  void append(const std::string& leaf);
  authority::Digest root() const;

 private:
  std::vector<std::pair<std::uint64_t, authority::Digest>> subtrees_;   // leaves, root; ever smaller
};
// The first three lines of a note; nothing when there are none.
std::optional<HeadName> head_of(std::string_view note);

class Heads {
 public:
  using Leaves = std::shared_ptr<const std::vector<std::string>>;   // a head's leaves are the first `size`; more may follow

  void signed_now(const HeadName& head, Leaves leaves) { known_.emplace(head, std::move(leaves)); }
  void cosigned(const HeadName& head, const std::string& witness) { witnesses_[head].insert(witness); }
  // nullptr: nobody signed such a head.
  const std::vector<std::string>* leaves(const HeadName& head) const {
    const auto it = known_.find(head);
    return it == known_.end() ? nullptr : it->second.get();
  }
  const std::set<std::string>& witnesses(const HeadName& head) const {
    static const std::set<std::string> kNone;
    const auto it = witnesses_.find(head);
    return it == witnesses_.end() ? kNone : it->second;
  }
  // Whether `later` continues `earlier`: the same leaves first.
  bool continues(const HeadName& earlier, const HeadName& later) const;

 private:
  std::map<HeadName, Leaves> known_;
  std::map<HeadName, std::set<std::string>> witnesses_;
};

}  // namespace fw::sim
