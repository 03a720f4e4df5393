// Policies, statements and standing approvals: gathering signatures, coming into force, running out.
#include <algorithm>

#include "aggregator/governance/audit_words.hpp"
#include "aggregator/governance/impl.hpp"
#include "aggregator/governance/signatures.hpp"

namespace fw::governance {

using authority::Code;
using authority::Domain;

namespace {

constexpr std::string_view kKinds[] = {"policy", "statement", "standing"};
constexpr std::string_view kStates[] = {"gathering", "active", "expired", "replaced"};
constexpr std::size_t kMostSignatures = authority::kMaxVotes;

bool has_signature(const DocumentRecord& record, const authority::Signature& signature) {
  return std::any_of(record.signatures.begin(), record.signatures.end(), [&](const authority::Signature& s) { return s.key == signature.key; });
}

std::int64_t end_of(const DocumentRecord& record) {
  if (const auto* statement = std::get_if<authority::Statement>(&record.parsed)) return statement->expires_ms;
  if (const auto* standing = std::get_if<authority::StandingApproval>(&record.parsed)) return standing->not_after_ms;
  return std::get<authority::Policy>(record.parsed).not_after_ms;
}

std::uint32_t threshold_of(const authority::Policy& policy, std::uint8_t action_class) {
  std::uint32_t threshold = authority::minimum_threshold(action_class, policy.profile);
  for (const authority::ClassRule& rule : policy.classes) {
    if (rule.action_class == action_class) threshold = std::max(threshold, rule.threshold);
  }
  return threshold;
}

}  // namespace

// ---- rows and look-ups --------------------------------------------------------------------------------------------

void Core::Impl::save_document(const DocumentRecord& record) {
  const auto* policy = std::get_if<authority::Policy>(&record.parsed);
  next.documents.push_back({.digest = digest_text(record.digest), .kind = std::string(kKinds[static_cast<std::size_t>(record.kind)]),
                            .document = std::string(record.document.begin(), record.document.end()), .signatures = encode_signatures(record.signatures),
                            .state = std::string(kStates[static_cast<std::size_t>(record.state)]),
                            .version = policy == nullptr ? 0 : static_cast<std::int64_t>(policy->version), .time_ns = record.time_ns});
  document_tickets[record.digest] = batch;
}

DocumentRecord& Core::Impl::add_document(DocumentRecord record) {
  DocumentRecord& added = documents[record.digest] = std::move(record);
  save_document(added);
  return added;
}

// What is over leaves the memory first, then statements that newer ones have overtaken, then what still waits for company: a pause must be
// possible however many documents there are. The store keeps all of them.
bool Core::Impl::make_room_for_document() {
  while (documents.size() >= config.documents) {
    const std::int64_t newest_pause_ms = memory().newest_pause_ms;
    const auto rank = [&](const DocumentRecord& record) -> std::optional<int> {
      if (record.kind == DocumentKind::policy || document_tickets.contains(record.digest)) return std::nullopt;
      if (record.state == DocumentState::gathering) return 2;
      if (record.state != DocumentState::active) return 0;
      const auto* statement = std::get_if<authority::Statement>(&record.parsed);
      if (statement == nullptr || std::holds_alternative<authority::NewOrigin>(statement->body)) return std::nullopt;
      if (std::holds_alternative<authority::Settle>(statement->body)) return statement->expires_ms < now_ms() ? 0 : 2;
      return statement->issued_ms < newest_pause_ms ? std::optional(1) : statement->expires_ms < now_ms() && statement->issued_ms != newest_pause_ms ? std::optional(1)
                                                                                                                                                    : std::nullopt;
    };
    auto leaves = documents.end();
    std::pair<int, std::int64_t> first{};
    for (auto at = documents.begin(); at != documents.end(); ++at) {
      const auto ranked = rank(at->second);
      if (!ranked) continue;
      const std::pair<int, std::int64_t> order{*ranked, at->second.time_ns};
      if (leaves == documents.end() || order < first) {
        leaves = at;
        first = order;
      }
    }
    if (leaves == documents.end()) return false;
    for (auto& [node, told] : news) told.has.erase(leaves->first);
    documents.erase(leaves);
  }
  return true;
}

const DocumentRecord* Core::Impl::newest_policy() const {
  const DocumentRecord* newest = nullptr;
  for (const auto& [digest, record] : documents) {
    const auto* policy = std::get_if<authority::Policy>(&record.parsed);
    if (policy != nullptr && (newest == nullptr || policy->version > std::get<authority::Policy>(newest->parsed).version)) newest = &record;
  }
  return newest;
}

const authority::Policy* Core::Impl::policy() const {
  const DocumentRecord* newest = newest_policy();
  return newest == nullptr ? nullptr : &std::get<authority::Policy>(newest->parsed);
}

const authority::Policy* Core::Impl::policy_of(const Uuid& node) const {
  if (const auto at = executors.find(node); at != executors.end()) {
    for (const auto& [digest, record] : documents) {
      const auto* policy = std::get_if<authority::Policy>(&record.parsed);
      if (policy != nullptr && policy->version == at->second.status.policy_version) return policy;
    }
  }
  return policy();
}

const authority::Approver* Core::Impl::owner_of(const authority::Digest& key) const {
  for (const authority::Approver& approver : policy()->approvers) {
    for (const authority::PublicKey& own : approver.keys) {
      if (authority::key_id(own) == key) return &approver;
    }
  }
  return nullptr;
}

bool Core::Impl::is_root(const authority::Digest& key) const {
  const auto& roots = policy()->roots;
  return std::any_of(roots.begin(), roots.end(), [&](const authority::Root& root) { return authority::key_id(root.key) == key; });
}

const authority::NewOrigin* Core::Impl::newest_origin() const {
  const authority::NewOrigin* newest = nullptr;
  std::int64_t newest_ms = 0;
  for (const auto& [digest, record] : documents) {
    const auto* statement = std::get_if<authority::Statement>(&record.parsed);
    if (statement == nullptr || record.state != DocumentState::active || statement->issued_ms < newest_ms) continue;
    if (const auto* moved = std::get_if<authority::NewOrigin>(&statement->body)) {
      newest = moved;
      newest_ms = statement->issued_ms;
    }
  }
  return newest;
}

// Of the heads that are signed now; before the log is open, of those that will be.
std::string Core::Impl::origin() const {
  if (!log_origin.empty()) return log_origin;
  if (const authority::NewOrigin* moved = newest_origin()) return moved->origin;
  return policy() == nullptr ? "" : policy()->log_origin;
}

authority::PublicKey Core::Impl::log_key() const {
  for (const auto& [digest, record] : documents) {
    const auto* statement = std::get_if<authority::Statement>(&record.parsed);
    const auto* moved = statement == nullptr ? nullptr : std::get_if<authority::NewOrigin>(&statement->body);
    if (moved != nullptr && record.state == DocumentState::active && moved->origin == origin()) return moved->log_key;
  }
  return policy() == nullptr ? authority::PublicKey{} : policy()->log_key;
}

authority::Memory Core::Impl::memory() const {
  authority::Memory memory;
  memory.log_origin = origin();
  memory.log_key = log_key();
  for (const auto& [digest, plan] : plans) {
    if (plan.state == PlanState::unknown) memory.unknown_plans[digest] = plan.action_class;
  }
  for (const auto& [digest, record] : documents) {
    const auto* statement = std::get_if<authority::Statement>(&record.parsed);
    if (statement == nullptr || record.state != DocumentState::active) continue;
    if (std::holds_alternative<authority::Pause>(statement->body)) memory.newest_pause_ms = std::max(memory.newest_pause_ms, statement->issued_ms);
  }
  memory.paused = memory.newest_pause_ms > 0;
  return memory;
}

// ---- statements ---------------------------------------------------------------------------------------------------

Reply Core::Impl::sign_statement(ByteView document, authority::Signature signature, const Caller& caller) {
  if (policy() == nullptr) return *not_now();
  auto parsed = authority::parse_statement(document);
  if (!parsed) return refuse({Code::statement_malformed, "the statement cannot be read (" + parsed.error().message() + ")"});
  // A pause is taken even while the log cannot be written: it only tightens. Its entry follows.
  const bool pause = std::holds_alternative<authority::Pause>(parsed->body);
  if (auto reply = not_now(); reply && (!pause || !store_problem.empty())) return *reply;
  const authority::Approver* owner = owner_of(signature.key);
  if (owner != nullptr && owner->person != caller.person) {
    return refuse({Code::approval_person, "the signature is of " + owner->person.str() + " and was sent by " + caller.person.str() + ": each person sends their own"});
  }
  const authority::Digest digest = authority::document_digest(Domain::statement, document);
  const auto known = documents.find(digest);
  DocumentRecord record = known != documents.end() ? known->second
                                                   : DocumentRecord{.kind = DocumentKind::statement, .digest = digest,
                                                                    .document = Bytes(document.begin(), document.end()), .signatures = {},
                                                                    .state = DocumentState::gathering, .time_ns = now_ns(), .parsed = *parsed, .people = {}};
  if (has_signature(record, signature) || record.state == DocumentState::active) return {.subject = digest, .ticket = ticket()};
  if (record.state == DocumentState::expired) return refuse({Code::statement_old, "the statement has run out: make a new one"});
  if (record.signatures.size() >= kMostSignatures || (known == documents.end() && !make_room_for_document())) {
    return refuse(Errc::overloaded, "too-many-documents", "too many statements or signatures: wait until some have run out");
  }
  // Alone, the signature must be good; what may be missing is company.
  const authority::Memory facts = memory();
  const auto alone = authority::verify_statement(document, {signature}, *policy(), facts, now_ms());
  const bool lonely = alone.refusal.code == Code::people_too_few || alone.refusal.code == Code::roots_too_few;
  if (!alone.statement && !lonely) return refuse(alone.refusal);
  if (lonely && owner == nullptr && !is_root(signature.key)) return refuse({Code::key_unknown, "nobody in the policy has this key"});
  if (lonely) {
    const authority::PublicKey* key = nullptr;
    if (owner != nullptr) {
      for (const auto& own : owner->keys) if (authority::key_id(own) == signature.key) key = &own;
    }
    for (const auto& root : policy()->roots) if (authority::key_id(root.key) == signature.key) key = &root.key;
    if (key == nullptr || !authority::verify_signature(*key, authority::signing_input(Domain::statement, document), signature.bytes)) {
      return refuse({Code::signature_bad, "the signature is not good: sign again"});
    }
  }
  record.signatures.push_back(std::move(signature));
  if (owner != nullptr && std::find(record.people.begin(), record.people.end(), owner->person) == record.people.end()) record.people.push_back(owner->person);
  const bool by_roots = std::holds_alternative<authority::NewOrigin>(parsed->body);
  const bool resume = std::holds_alternative<authority::Resume>(parsed->body);
  record.needed = by_roots ? policy()->root_threshold : resume ? policy()->resume_threshold : 1;
  const auto verdict = authority::verify_statement(document, record.signatures, *policy(), facts, now_ms());
  if (verdict.statement) {
    record.state = DocumentState::active;
    record.people = verdict.people;
  }
  DocumentRecord& added = add_document(std::move(record));
  add_audit(document_entry(now_ms(), verdict.statement ? "statement.accepted" : "statement.signed", added, &caller, policy_version()));
  if (verdict.statement) on_statement_active(added);
  return {.subject = digest, .ticket = ticket()};
}

void Core::Impl::on_statement_active(const DocumentRecord& record) {
  const auto& statement = std::get<authority::Statement>(record.parsed);
  if (const auto* moved = std::get_if<authority::NewOrigin>(&statement.body); moved != nullptr && moved->log_key == log_key()) {
    continuing = ContinueAs{.origin = moved->origin, .old_origin = moved->old_origin, .old_size = moved->old_size, .old_root = moved->old_root};
    log_work.emplace_back(*continuing);
  }
  for (auto& [node, told] : news) told.statements = {};
}

// ---- standing approvals -------------------------------------------------------------------------------------------

Reply Core::Impl::sign_standing(ByteView document, authority::Signature signature, const Caller& caller) {
  if (auto reply = not_now()) return *reply;
  auto parsed = authority::parse_standing(document);
  if (!parsed) return refuse({Code::standing_malformed, "the standing approval cannot be read (" + parsed.error().message() + ")"});
  const authority::Approver* owner = owner_of(signature.key);
  if (owner == nullptr) return refuse({Code::key_unknown, "nobody in the policy has this key"});
  if (owner->person != caller.person) {
    return refuse({Code::approval_person, "the signature is of " + owner->person.str() + " and was sent by " + caller.person.str() + ": each person sends their own"});
  }
  if (parsed->policy_version != policy_version()) {
    return refuse({Code::policy_version_other, "it is under policy version " + std::to_string(parsed->policy_version) + ", version " +
                                                   std::to_string(policy_version()) + " is in force: make it again"});
  }
  if (parsed->not_after_ms <= now_ms() || parsed->not_after_ms <= parsed->not_before_ms || parsed->actions.empty()) {
    return refuse({Code::standing_malformed, "its time is over or it names no action"});
  }
  bool good = false;
  for (const authority::PublicKey& key : owner->keys) {
    good = good || (authority::key_id(key) == signature.key && key.algorithm == signature.algorithm &&
                    authority::verify_signature(key, authority::signing_input(Domain::standing, document), signature.bytes));
  }
  if (!good) return refuse({Code::signature_bad, "the signature is not good: sign again"});
  if (parsed->max_class > owner->scope.max_class) return refuse({Code::out_of_scope, caller.person.str() + " may not approve class " + std::to_string(parsed->max_class)});
  const authority::Digest digest = authority::document_digest(Domain::standing, document);
  const auto known = documents.find(digest);
  DocumentRecord record = known != documents.end() ? known->second
                                                   : DocumentRecord{.kind = DocumentKind::standing, .digest = digest,
                                                                    .document = Bytes(document.begin(), document.end()), .signatures = {},
                                                                    .state = DocumentState::gathering, .time_ns = now_ns(), .parsed = *parsed, .people = {}};
  const bool signed_already = std::find(record.people.begin(), record.people.end(), owner->person) != record.people.end();
  if (signed_already) return {.subject = digest, .ticket = ticket()};
  if (record.signatures.size() >= kMostSignatures || (known == documents.end() && !make_room_for_document())) {
    return refuse(Errc::overloaded, "too-many-documents", "too many standing approvals or signatures");
  }
  record.signatures.push_back(std::move(signature));
  record.people.push_back(owner->person);
  record.needed = threshold_of(*policy(), parsed->max_class);
  const bool active = record.people.size() >= record.needed;
  if (active) record.state = DocumentState::active;
  DocumentRecord& added = add_document(std::move(record));
  add_audit(document_entry(now_ms(), active ? "standing.accepted" : "standing.signed", added, &caller, policy_version()));
  if (active) {
    for (auto& [plan_digest, plan] : plans) try_release(plan);
  }
  return {.subject = digest, .ticket = ticket()};
}

// ---- policy -------------------------------------------------------------------------------------------------------

// The first one counts when the thresholds that it names itself have signed it: whoever installs the program chose it.
Reply Core::Impl::load_policy(ByteView document, std::vector<authority::Signature> signatures, const Caller* caller) {
  if (caller != nullptr) {
    if (auto reply = not_now()) return *reply;
  }
  auto parsed = authority::parse_policy(document);
  if (!parsed) return refuse({Code::policy_malformed, "the policy cannot be read (" + parsed.error().message() + ")"});
  const authority::Digest digest = authority::document_digest(Domain::policy, document);
  if (documents.contains(digest)) return {.subject = digest, .ticket = ticket()};
  if (const authority::Policy* current = policy()) {
    const auto verdict = authority::verify_policy(document, signatures, *current, now_ms());
    if (!verdict.policy) return refuse(verdict.refusal);
  } else {
    if (const auto problems = authority::check_policy(*parsed); !problems.empty()) return refuse({Code::policy_invalid, problems.front()});
    std::set<authority::Digest> signers;
    for (const authority::Root& root : parsed->roots) {
      for (const authority::Signature& s : signatures) {
        if (s.key == authority::key_id(root.key) && authority::verify_signature(root.key, authority::signing_input(Domain::policy, document), s.bytes)) {
          signers.insert(s.key);
        }
      }
    }
    if (signers.size() < parsed->root_threshold) {
      return refuse({Code::roots_too_few, std::to_string(signers.size()) + " of " + std::to_string(parsed->root_threshold) + " roots signed the policy"});
    }
  }
  // Only what counts is carried on: a packet to a node has room for so many, and one with more ends its executor.
  std::set<authority::Digest> kept;
  const auto message = authority::signing_input(Domain::policy, document);
  std::vector<authority::Root> roots = parsed->roots;
  if (policy() != nullptr) roots.insert(roots.end(), policy()->roots.begin(), policy()->roots.end());
  std::erase_if(signatures, [&](const authority::Signature& s) {
    const bool counts = std::any_of(roots.begin(), roots.end(), [&](const authority::Root& root) {
      return s.key == authority::key_id(root.key) && s.algorithm == root.key.algorithm && authority::verify_signature(root.key, message, s.bytes);
    });
    return !counts || !kept.insert(s.key).second;
  });
  if (signatures.size() > kMostSignatures) {
    return refuse({Code::policy_malformed, "it has " + std::to_string(signatures.size()) + " signatures of roots, a node takes " + std::to_string(kMostSignatures) +
                                               ": send those that the thresholds need"});
  }
  for (auto& [other, record] : documents) {
    if (record.kind != DocumentKind::policy || record.state != DocumentState::active) continue;
    record.state = DocumentState::replaced;
    save_document(record);
  }
  DocumentRecord& added = add_document({.kind = DocumentKind::policy, .digest = digest, .document = Bytes(document.begin(), document.end()),
                                        .signatures = std::move(signatures), .state = DocumentState::active, .time_ns = now_ns(), .parsed = std::move(*parsed),
                                        .people = {}});
  added.needed = policy()->root_threshold;
  add_audit(document_entry(now_ms(), "policy.loaded", added, caller, policy_version()));
  for (auto& [node, told] : news) told.policy = {};
  return {.subject = digest, .ticket = ticket()};
}

void Core::Impl::expire_documents() {
  for (auto& [digest, record] : documents) {
    const bool over = record.kind != DocumentKind::policy && end_of(record) < now_ms();
    if (!over || record.state == DocumentState::expired || record.state == DocumentState::replaced) continue;
    // What was said stays said: a pause holds until people resume, an origin until the next one. Only the courier has an end.
    if (record.kind == DocumentKind::statement && record.state == DocumentState::active) continue;
    record.state = DocumentState::expired;
    save_document(record);
    add_audit(document_entry(now_ms(), record.kind == DocumentKind::statement ? "statement.expired" : "standing.expired", record, nullptr, policy_version()));
  }
}

}  // namespace fw::governance
