// Which policy of a server a person believes who trusts one already.
#include <gtest/gtest.h>

#include "aggregator/cli/context.hpp"
#include "aggregator/cli/policy/signed_policy.hpp"
#include "tests/support/authority_builder.hpp"

namespace fw::cli {
namespace {

using authority::Policy;
using authority::test::Names;

SignedPolicy signed_by(const Policy& policy, const Names& roots) {
  SignedPolicy out{authority::to_bytes(policy), {}};
  for (const auto& name : roots) out.signatures.push_back(authority::test::sign_as(name, authority::Domain::policy, out.document));
  return out;
}

struct Trusting : ::testing::Test {
  Policy policy = authority::test::team_policy();
  SignedPolicy mine = signed_by(policy, {"root-1", "root-2"});
  std::string why(const Policy& theirs, const Names& roots) const { return why_not_trusted(signed_by(theirs, roots), mine); }
  Policy next() const {
    auto out = policy;
    ++out.version;
    return out;
  }
};

TEST_F(Trusting, the_same_policy_needs_no_signature) {
  EXPECT_EQ(why(policy, {}), "");
  auto other = policy;
  other.resume_threshold = 1;
  EXPECT_NE(why(other, {"root-1", "root-2"}), "") << "another one of this version";
}

TEST_F(Trusting, a_later_one_is_signed_by_the_roots_that_are_trusted) {
  EXPECT_EQ(why(next(), {"root-1", "root-2"}), "");
  EXPECT_EQ(why(next(), {"root-1"}), "1 of the roots that you trust signed it, 2 must [roots-too-few]");
  EXPECT_EQ(why(next(), {"root-1", "root-1"}), "1 of the roots that you trust signed it, 2 must [roots-too-few]");
  EXPECT_NE(why(next(), {"mallory", "alice"}), "");
  auto bent = signed_by(next(), {"root-1", "root-2"});
  bent.signatures[0].bytes[3] ^= 1;
  EXPECT_NE(why_not_trusted(bent, mine), "");
}

TEST_F(Trusting, other_roots_must_be_signed_by_both) {
  auto moved = next();
  for (auto& root : moved.roots) root = {"new-" + root.name, authority::test::key_of("new-" + root.name).public_key()};
  EXPECT_EQ(why(moved, {"root-1", "root-2", "new-root-1", "new-root-2"}), "");
  EXPECT_EQ(why(moved, {"root-1", "root-2", "new-root-1"}), "1 of the own roots signed it, 2 must [roots-too-few]");
  EXPECT_EQ(why(moved, {"new-root-1", "new-root-2"}), "0 of the roots that you trust signed it, 2 must [roots-too-few]");
}

TEST_F(Trusting, an_older_one_one_of_others_and_nonsense_are_not_believed) {
  mine = signed_by(next(), {"root-1", "root-2"});
  EXPECT_NE(why(policy, {"root-1", "root-2"}).find("is not later than"), std::string::npos);
  auto other = next();
  ++other.version;
  other.organisation = "evil";
  EXPECT_NE(why(other, {"root-1", "root-2"}).find("it is of evil"), std::string::npos);
  EXPECT_EQ(why_not_trusted({Bytes{1, 2, 3}, {}}, mine), "it cannot be read");
}

TEST(TrustedPolicy, is_a_path_of_the_context_s_cluster) {
  ContextsFile file;
  file.current_context = "c";
  file.clusters = {{"k", "https://a", "ca.crt", {}, "policy/policy.json"}};
  file.users = {{"u", "u.crt", "u.key"}};
  file.contexts = {{"c", "k", "u"}};
  const auto read = parse_contexts(render_contexts(file));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(resolve_context(*read, "/etc/f", std::nullopt)->trusted_policy, "/etc/f/policy/policy.json");
  file.clusters[0].trusted_policy.clear();
  EXPECT_EQ(resolve_context(*parse_contexts(render_contexts(file)), "/etc/f", std::nullopt)->trusted_policy, "");
}

}  // namespace
}  // namespace fw::cli
