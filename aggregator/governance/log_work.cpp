#include "aggregator/governance/log_work.hpp"

#include "aggregator/audit/log.hpp"

namespace fw::governance {
namespace {

template <class... Fs>
struct Overloaded : Fs... { using Fs::operator()...; };

LogFailed failed(const audit::Log& log, const Error& error, const authority::Digest& plan = {}, const Uuid& node = {}) {
  return {.why = error.message(), .broken = !log.problem().empty(), .plan = plan, .node = node};
}

LogAnswer sequence(audit::Log& log, const Sequence& work) {
  std::vector<audit::Draft> drafts;
  drafts.reserve(work.rows.size());
  for (const store::AuditRow& row : work.rows) drafts.push_back({static_cast<std::uint64_t>(row.id), row.entry});
  auto places = log.append(drafts);
  if (!places) return LogFailed{.why = places.error().message(), .broken = true, .plan = {}, .node = {}};
  auto note = log.sign();
  if (!note) return LogFailed{.why = note.error().message(), .broken = true, .plan = {}, .node = {}};
  SequenceDone done{.rows = {}, .note = std::move(*note), .size = log.size()};
  for (std::size_t i = 0; i < places->size(); ++i) done.rows.push_back({work.rows[i].id, static_cast<std::int64_t>((*places)[i])});
  return done;
}

LogAnswer prove(audit::Log& log, const ProveRelease& work) {
  ReleaseProof answer{.plan = work.plan, .size = work.size, .proof = {}};
  answer.proof.index = work.index;
  answer.proof.consistent_from = work.from_size;
  auto entry = log.entry(work.index);
  if (!entry) return failed(log, entry.error(), work.plan);
  answer.proof.entry = std::move(*entry);
  auto path = log.inclusion(work.index, work.size);
  if (!path) return failed(log, path.error(), work.plan);
  answer.proof.path = std::move(*path);
  auto consistency = log.consistency(work.from_size, work.size);
  if (!consistency) return failed(log, consistency.error(), work.plan);
  answer.proof.consistency = std::move(*consistency);
  return answer;
}

LogAnswer news(audit::Log& log, const ProveNews& work) {
  auto consistency = log.consistency(work.from_size, work.size);
  if (!consistency) return failed(log, consistency.error(), {}, work.node);
  return NewsProof{.node = work.node, .size = work.size, .from_size = work.from_size, .consistency = std::move(*consistency)};
}

LogAnswer compare(audit::Log& log, const CompareHead& work) {
  HeadCompared answer{.node = work.node, .seen = work.seen, .check = HeadCheck::ours};
  if (work.seen.size > log.size()) {
    answer.check = HeadCheck::newer_than_ours;
  } else {
    auto root = log.root_at(work.seen.size);
    if (!root) return failed(log, root.error(), {}, work.node);
    if (*root != work.seen.root) answer.check = HeadCheck::different;
  }
  return answer;
}

LogAnswer go_on(audit::Log& log, const ContinueAs& work) {
  auto note = log.continue_as({.origin = work.origin, .old_origin = work.old_origin, .old_size = work.old_size, .old_root = work.old_root});
  if (!note) return LogFailed{.why = note.error().message(), .broken = !log.problem().empty(), .plan = {}, .node = {}};
  return Continued{.note = std::move(*note), .head = log.head()};
}

}  // namespace

LogAnswer run(audit::Log& log, const LogWork& work) {
  return std::visit(Overloaded{[&](const Sequence& w) { return sequence(log, w); }, [&](const ProveRelease& w) { return prove(log, w); },
                               [&](const ProveNews& w) { return news(log, w); }, [&](const CompareHead& w) { return compare(log, w); },
                               [&](const ContinueAs& w) { return go_on(log, w); }},
                    work);
}

}  // namespace fw::governance
