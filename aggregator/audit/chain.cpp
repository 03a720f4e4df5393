#include "aggregator/audit/chain.hpp"

#include <fmt/format.h>

#include "aggregator/audit/entry.hpp"

namespace fw::audit {
namespace {

// The leaf of the entry before `seq`.
authority::Digest leaf_before(const authority::Tree& tree, std::uint64_t seq) { return seq == 0 ? authority::Digest{} : tree.leaf(seq - 1); }

authority::Digest leaf_if_linked(std::string_view line, const Place& place, const authority::Digest& prev) {
  const auto rest = line.size() - place.rest.size();
  std::string mended(line);
  mended.replace(rest - 2 - 64, 64, authority::to_text(prev));   // 2: quote and comma
  return authority::leaf_hash(mended);
}

}  // namespace

void Chain::add(std::string_view line) {
  const auto seq = tree_.size();
  const auto leaf = authority::leaf_hash(line);
  if (!break_) {
    const auto prev = leaf_before(tree_, seq);
    const auto place = parse_place(line);
    Break found;
    found.seq = seq;
    if (!place) {
      found.kind = Kind::not_an_entry;
      found.why = place.error().context;
      break_ = std::move(found);
    } else if (place->seq != seq) {
      found.kind = Kind::wrong_place;
      found.says_seq = place->seq;
      found.repeated = seq > 0 && leaf == prev;
      found.claims_place_before = seq > 0 && place->seq + 1 == seq && place->prev == leaf_before(tree_, seq - 1);
      break_ = std::move(found);
    } else if (place->prev != prev) {
      found.kind = Kind::not_linked;
      found.says_prev = place->prev;
      found.mended = leaf_if_linked(line, *place, prev);
      break_ = std::move(found);
    }
  } else if (seq == break_->seq + 1 && break_->kind != Kind::not_an_entry) {
    const auto place = parse_place(line);
    break_->next_follows = place && place->prev == tree_.leaf(seq - 1);
  }
  tree_.append(leaf);
}

authority::Digest Chain::root_with(std::uint64_t index, const authority::Digest& leaf, std::uint64_t size) const {
  // The path of a leaf does not depend on the leaf: the new root follows from it.
  const auto path = tree_.inclusion(index, size);
  FW_ASSERT(path.has_value(), "only leaves that are there");
  auto node = index, last = size - 1;
  auto hash = leaf;
  for (const auto& sibling : *path) {
    if ((node & 1U) != 0 || node == last) {
      hash = authority::node_hash(sibling, hash);
      while ((node & 1U) == 0 && node != 0) {
        node >>= 1U;
        last >>= 1U;
      }
    } else {
      hash = authority::node_hash(hash, sibling);
    }
    node >>= 1U;
    last >>= 1U;
  }
  return hash;
}

std::optional<Damage> Chain::check(const authority::Checkpoint& head) const {
  if (size() >= head.size && tree_.root_at(head.size) == head.root) return std::nullopt;
  if (break_ && break_->seq < head.size) return locate(head);
  if (size() < head.size)
    return Damage{size(), fmt::format("entry {} is missing: the signed head has {} entries", size(), head.size), false};
  if (head.size == 0) return Damage{0, "the signed head of an empty log has another root", false};
  return Damage{head.size - 1,
                fmt::format("entry {} is not what was signed, or entries up to it were written anew together with it", head.size - 1), false};
}

Damage Chain::locate(const authority::Checkpoint& head) const {
  const auto& found = *break_;
  const auto seq = found.seq;
  if (found.kind == Kind::not_an_entry) return {seq, fmt::format("entry {}: {}", seq, found.why), false};
  if (found.kind == Kind::wrong_place) {
    if (found.claims_place_before && !found.repeated && found.next_follows.value_or(false))
      return {seq - 1, fmt::format("there are two entries {}, and the first was put in", seq - 1), false};
    if (found.says_seq > seq) return {seq, fmt::format("entry {} is missing: entry {} is in its place", seq, found.says_seq), false};
    return {seq, fmt::format("entry {} is in the place of entry {}", found.says_seq, seq), false};
  }
  // Entry seq names another one before it than the one that is there. Either may be the bad one; what is signed tells, else the next entry.
  const auto fits = [&](std::uint64_t index, const authority::Digest& leaf) {
    return size() >= head.size && root_with(index, leaf, head.size) == head.root;
  };
  if (seq > 0 && fits(seq - 1, found.says_prev)) return {seq - 1, fmt::format("entry {} is not what entry {} says it was", seq - 1, seq), true};
  if (fits(seq, found.mended)) return {seq, fmt::format("entry {} names another entry before it than the one that is there", seq), true};
  const bool before = seq > 0 && found.next_follows.value_or(true);
  const auto bad = before ? seq - 1 : seq;
  return {bad, fmt::format("entry {} was changed: the chain breaks between {} and {}", bad, seq == 0 ? 0 : seq - 1, seq), false};
}

}  // namespace fw::audit
