// The bytes that people and nodes sign are kept in tests/golden/authority: what a released version signed is valid for ever, and a change of
// what we write is seen. FW_REGENERATE_GOLDEN=1 writes the files anew; a released file is never changed, a new one is added.
// index.json says what each file is, for the second verifier and for the tests of the verifier.
#include "tests/unit/authority/documents/golden.hpp"

#include <gmock/gmock.h>

#include "tests/support/authority_builder.hpp"

namespace fw::authority {
namespace {

constexpr std::size_t kEnvelopes = 50;

std::string in_quotes(std::string_view text) { return '"' + std::string(text) + '"'; }

struct Case {
  Envelope envelope;
  Plan plan;
  std::uint64_t size = 0;      // of the tree in its note
  Digest root{}, seen_root{};
};

// Every action at least three times; one to three votes; a security key; engine and person as proposers; inside and outside of Kubernetes;
// a standing approval; proofs with and without consistency.
Case make_case(std::size_t i, test::Log& log) {
  const auto actions = test::every_action();
  Case out;
  out.plan = test::plan(actions[i % actions.size()]);
  out.plan.nonce = test::nonce_of("golden " + std::to_string(i));
  out.plan.incident = "INC-" + std::to_string(100 + i);
  if (i % 3 == 1) {
    out.plan.proposer = Proposer::person;
    out.plan.person = test::person("dave");
  }
  if (i % 5 == 2) {
    out.plan.target.cluster = "prod-eu";
    out.plan.target.name_space = "shop";
    out.plan.target.workload = "checkout";
    out.plan.preconditions.push_back({Probe::node_available_bytes, Comparison::greater_or_equal, 1LL << 30});
  }
  const bool night_pass = i % actions.size() == 1 && i / actions.size() % 2 == 1;
  const std::size_t voters = night_pass ? 1 : std::max<std::size_t>(1 + i % 3, std::min<std::size_t>(class_of(out.plan), 2));
  const test::Names everybody = i % 2 == 0 ? test::Names{"alice", "bob", "carol"} : test::Names{"erin", "carol", "alice"};
  const test::Names names(everybody.begin(), everybody.begin() + static_cast<std::ptrdiff_t>(voters));
  auto standing = night_pass ? std::optional(test::sign(test::standing(), {"bob", "carol"})) : std::nullopt;

  const auto before = log.checkpoint();
  const auto from = i % 2 == 0 ? 0 : before.size;
  out.envelope = test::released(test::envelope(out.plan, names, std::move(standing)), log, from);
  out.size = log.checkpoint().size;
  out.root = log.checkpoint().root;
  out.seen_root = before.root;
  return out;
}

std::vector<Case> cases() {
  test::Log log;
  std::vector<Case> out;
  for (std::size_t i = 0; i < kEnvelopes; ++i) out.push_back(make_case(i, log));
  return out;
}

struct Document { std::string name, domain; Bytes bytes; Digest digest{}; std::vector<Signature> signatures; };

std::vector<Document> documents() {
  std::vector<Document> out;
  const auto add = [&](const std::string& name, const std::string& domain, Domain kind, const Bytes& bytes, std::vector<Signature> signatures) {
    out.push_back({name, domain, bytes, document_digest(kind, bytes), std::move(signatures)});
  };
  const auto policy = [&](const std::string& name, const Policy& value, const test::Names& roots) {
    const auto made = test::sign(value, roots);
    add(name, "policy", Domain::policy, made.document, made.signatures);
  };
  auto enterprise = test::team_policy();
  enterprise.version = 2;
  enterprise.profile = Profile::enterprise;
  enterprise.witnesses = {{"node/a", test::public_key_of("witness-a")}, {"node/b", test::public_key_of("witness-b")}};
  enterprise.witness_quorum = 1;
  enterprise.classes[2].groups = {"platform"};
  enterprise.limits = {{"set_memory_limit", 2, 6}};
  enterprise.bounds = {{2, 16 << 20, 1LL << 32, 3'600'000}};
  enterprise.enabled[0] = {{"prod-eu"}, {"pool=shop"}, {1, 2}, 2};
  policy("policy-team", test::team_policy(), {"root-1", "root-2"});
  policy("policy-solo", test::solo_policy(), {"root-1"});
  policy("policy-enterprise", enterprise, {"root-1", "root-3"});

  const auto plan = test::plan();
  auto with_reason = test::approval(plan, "alice", Decision::deny);
  with_reason.reason = "Not tonight:\nthe database is being moved. \xc3\x84";
  for (const auto& [name, vote] : {std::pair{"approval", test::vote(plan, "alice")}, std::pair{"approval-security-key", test::vote(plan, "erin")},
                                   std::pair{"denial", test::sign(with_reason, "alice")}})
    add(name, "approval", Domain::approval, vote.document, {vote.signature});
  const auto standing = test::sign(test::standing(), {"alice", "carol"});
  add("standing", "standing", Domain::standing, standing.document, standing.signatures);

  const auto statement = [&](const std::string& name, decltype(Statement::body) body, const test::Names& names) {
    const auto made = test::sign(test::statement(std::move(body)), names);
    add(name, "statement", Domain::statement, made.document, made.signatures);
  };
  statement("pause", Pause{"the rack is on fire"}, {"alice"});
  statement("resume", Resume{"it was steam"}, {"alice", "bob"});
  statement("settle", Settle{plan_digest(2, to_bytes(plan)), true, "the log is short now"}, {"alice", "bob"});
  statement("new-origin", NewOrigin{"fleetwright/acme/audit-2", test::public_key_of("log-2"), std::string(test::kOrigin), 41, sha256({})},
            {"root-1", "root-2"});

  Outcome outcome;
  outcome.plan = plan_digest(2, to_bytes(plan));
  outcome.node = test::node_uid();
  outcome.incarnation = test::incarnation();
  outcome.state = State::done;
  outcome.sentence = "done";
  outcome.started_ms = test::kNowMs + 1;
  outcome.ended_ms = test::kNowMs + 2;
  outcome.before = "64 MiB";
  outcome.after = "256 MiB";
  outcome.journal_seq = 17;
  outcome.journal_hash = sha256({});
  const auto bytes = to_bytes(outcome);
  add("outcome", "result", Domain::result, bytes, {test::key_of("executor").sign(Domain::result, bytes)});
  return out;
}

std::string signature_json(const Signature& signature) {
  return R"({"key": ")" + to_text(signature.key) + R"(", "algorithm": ")" + std::string(to_string(signature.algorithm)) + R"(", "bytes": ")" +
         to_hex(signature.bytes) + "\"}";
}

std::string key_json(const std::string& name, const std::string& role) {
  const auto key = test::public_key_of(name);
  return R"({"name": ")" + name + R"(", "role": ")" + role + R"(", "algorithm": ")" + std::string(to_string(key.algorithm)) +
         R"(", "bytes": ")" + to_hex(key.bytes) + R"(", "id": ")" + to_text(key_id(key)) + "\"}";
}

template <class List, class Function>
std::string join(const List& list, const char* between, Function function) {
  std::string out;
  for (const auto& entry : list) out += (out.empty() ? "" : between) + function(entry);
  return out;
}

std::string file_name(std::size_t i) { return "envelopes/" + std::string(i < 10 ? "0" : "") + std::to_string(i) + ".bin"; }

std::string envelope_json(std::size_t i, const Case& c) {
  const auto& proof = c.envelope.proof;
  const auto names = join(c.envelope.votes, ", ", [](const Vote& vote) { return in_quotes(parse_approval(vote.document)->person.subject); });
  const auto standing = c.envelope.standing ? in_quotes(to_text(document_digest(Domain::standing, c.envelope.standing->document))) : "null";
  return R"({"file": ")" + file_name(i) + R"(", "action": ")" + std::string(info_of(c.plan.action).name) + R"(", "class": )" +
         std::to_string(c.envelope.action_class) + R"(, "cluster": ")" + c.plan.target.cluster + R"(", "plan": ")" +
         to_text(plan_digest(c.envelope.action_class, c.envelope.plan)) + R"(", "release": ")" + to_text(release_digest(c.envelope)) +
         R"(", "votes": [)" + names + R"(], "standing": )" + standing + R"(, "index": )" + std::to_string(proof.index) + R"(, "size": )" +
         std::to_string(c.size) + R"(, "root": ")" + to_text(c.root) + R"(", "consistentFrom": )" + std::to_string(proof.consistent_from) +
         R"(, "seenRoot": ")" + (proof.consistent_from > 0 ? to_text(c.seen_root) : "") + "\"}";
}

std::string index_json(const std::vector<Case>& all, const std::vector<Document>& signed_documents) {
  std::string out = "{\n\"origin\": " + in_quotes(test::kOrigin) + ",\n\"nowMs\": " + std::to_string(test::kNowMs) + ",\n\"node\": " +
                    in_quotes(test::node_uid().str()) + ",\n\"incarnation\": " + in_quotes(to_hex(test::incarnation())) + ",\n\"boot\": " +
                    in_quotes(test::boot_uid().str()) + ",\n\"policy\": \"documents/policy-team.bin\",\n\"keys\": [\n";
  const std::vector<std::pair<std::string, std::string>> keys = {
      {"root-1", "root"}, {"root-2", "root"}, {"root-3", "root"}, {"alice", "approver"}, {"bob", "approver"}, {"carol", "approver"},
      {"dave", "approver"}, {"erin", "approver"}, {"log", "log"}, {"executor", "executor"}};
  out += join(keys, ",\n", [](const auto& key) { return key_json(key.first, key.second); }) + "\n],\n\"documents\": [\n";
  out += join(signed_documents, ",\n", [](const Document& document) {
    return R"({"file": "documents/)" + document.name + R"(.bin", "domain": ")" + document.domain + R"(", "digest": ")" +
           to_text(document.digest) + R"(", "signatures": [)" + join(document.signatures, ", ", signature_json) + "]}";
  });
  std::size_t i = 0;
  return out + "\n],\n\"envelopes\": [\n" + join(all, ",\n", [&](const Case& c) { return envelope_json(i++, c); }) + "\n]\n}\n";
}

TEST(Golden, documents_are_written_as_ever) {
  for (const auto& document : documents()) compare_golden("documents/" + document.name + ".bin", as_text(document.bytes));
}

TEST(Golden, plans_and_envelopes_are_written_as_ever) {
  const auto all = cases();
  for (std::size_t i = 0; i < all.size(); ++i) compare_golden(file_name(i), as_text(encode(all[i].envelope)));
  compare_golden("index.json", index_json(all, documents()));
}

TEST(Golden, envelopes_are_read_as_what_was_written) {
  const auto all = cases();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto read = decode_envelope(as_bytes(read_golden(file_name(i))));
    ASSERT_TRUE(read) << file_name(i) << ": " << read.error().message();
    EXPECT_EQ(*read, all[i].envelope);
    EXPECT_EQ(parse_plan(read->plan).value(), all[i].plan);
    EXPECT_THAT(check_plan(all[i].plan), ::testing::IsEmpty()) << file_name(i);
    EXPECT_TRUE(entry_names_release(read->proof.entry, release_digest(*read)));
  }
}

TEST(Golden, signatures_of_documents_are_good) {
  const std::vector<std::string> names = {"root-1", "root-2", "root-3", "alice", "bob", "carol", "erin", "executor"};
  for (const auto& document : documents()) {
    const auto bytes = read_golden("documents/" + document.name + ".bin");
    for (const auto& signature : document.signatures) {
      const auto signer = std::find_if(names.begin(), names.end(), [&](const auto& name) { return key_id(test::public_key_of(name)) == signature.key; });
      ASSERT_NE(signer, names.end()) << document.name;
      const std::string head = "fleet/" + document.domain + "/v1\n";
      Bytes message(head.begin(), head.end());
      for (int shift = 56; shift >= 0; shift -= 8) message.push_back(static_cast<std::uint8_t>(bytes.size() >> static_cast<unsigned>(shift)));
      message.insert(message.end(), bytes.begin(), bytes.end());
      EXPECT_TRUE(verify_signature(test::public_key_of(*signer), message, signature.bytes)) << document.name << " by " << *signer;
    }
  }
}

}  // namespace
}  // namespace fw::authority
