// That the release stands in the audit log, under a checkpoint that continues what this node has seen.
#include <set>

#include "protocol/authority/merkle.hpp"
#include "protocol/authority/verify_parts.hpp"

namespace fw::authority::verify {
namespace {

Problem check_entry(const Envelope& envelope, const Checkpoint& head) {
  const auto& proof = envelope.proof;
  if (!entry_names_release(proof.entry, release_digest(envelope))) {
    return refuse(Code::inclusion_missing, "the audit entry does not name the release of this plan with these approvals: send the entry that does");
  }
  if (const auto included = verify_inclusion(leaf_hash(proof.entry), proof.index, head.size, proof.path, head.root); !included) {
    return refuse(Code::inclusion_missing, "audit entry ", proof.index, " is not in the log of size ", head.size, " (", included.error().message(),
                  "): send the proof for that size");
  }
  return {};
}

}  // namespace

// Also what a proof does not need must be as it should, so that no bit of an envelope is without meaning.
Problem check_continues(const Checkpoint& head, std::uint64_t from_size, const std::vector<Digest>& path, const std::optional<Checkpoint>& seen) {
  const auto from = seen ? *seen : Checkpoint{{}, 0, head.root};   // nothing was seen: any head goes on from that, also one of no entries
  if (head.size < from.size) {
    return refuse(Code::checkpoint_bad, "the checkpoint is of size ", head.size, ", this node has seen ", from.size, ": send a newer one");
  }
  if (from_size != from.size) {
    return refuse(Code::checkpoint_bad, "the consistency proof starts at size ", from_size, ", this node has seen ", from.size,
                  ": send one from there");
  }
  if (const auto consistent = verify_consistency(from.size, from.root, head.size, head.root, path); !consistent) {
    return refuse(Code::checkpoint_inconsistent, "the log of size ", head.size, " does not continue the ", from.size, " entries that this node has seen (",
                  consistent.error().message(), "): run fleetwright audit verify and compare the nodes' checkpoints");
  }
  return {};
}

namespace {

// Distinct witnesses by key, so that one key under two names counts once.
Problem check_witnesses(const Note& note, const Policy& policy) {
  std::set<PublicKey> witnesses;
  for (const auto& witness : policy.witnesses) {
    if (verify_cosignature(note, witness.name, witness.key)) witnesses.insert(witness.key);
  }
  if (witnesses.size() < policy.witness_quorum) {
    return refuse(Code::witnesses_missing, "the checkpoint needs ", policy.witness_quorum, " witnesses, ", witnesses.size(),
                  " signed it: it comes again when more nodes have");
  }
  return {};
}

}  // namespace

Checked<Checkpoint> check_inclusion(const Envelope& envelope, const Policy& policy, const Memory& memory) {
  const auto& proof = envelope.proof;
  if (proof.entry.empty() || proof.note.empty()) {
    return refuse(Code::inclusion_missing, "the plan comes without its place in the audit log: release it through the log");
  }
  const auto note = parse_note(proof.note);
  if (!note) return refuse(Code::checkpoint_bad, "the checkpoint cannot be read (", note.error().message(), "): send it again");
  if (const auto good = verify_note(*note, memory.log_origin, memory.log_key); !good) {
    return refuse(Code::checkpoint_bad, "the checkpoint is not signed by the log ", memory.log_origin, " (", good.error().message(), "): send one of that log");
  }
  const auto& head = note->checkpoint;
  if (auto problem = check_entry(envelope, head)) return *problem;
  if (auto problem = check_continues(head, proof.consistent_from, proof.consistency, memory.checkpoint)) return *problem;
  if (auto problem = check_witnesses(*note, policy)) return *problem;
  return head;
}

}  // namespace fw::authority::verify
