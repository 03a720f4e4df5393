#include "aggregator/cli/context.hpp"

#include <gtest/gtest.h>

#include <map>

namespace fw::cli {
namespace {

ContextsFile sample() {
  return {"trial",
          {{"c1", "https://a:7444", "ca.crt", ""}, {"c2", "https://b:7444", "/abs/ca.crt", "internal"}},
          {{"alice", "people/alice.crt", "people/alice.key"}},
          {{"trial", "c1", "alice"}, {"far", "c2", "alice"}, {"broken", "c3", "alice"}}};
}

TEST(Contexts, survive_being_written_and_read) {
  const auto file = parse_contexts(render_contexts(sample()));
  ASSERT_TRUE(file) << file.error().context;
  EXPECT_EQ(render_contexts(*file), render_contexts(sample()));
}

TEST(Contexts, resolve_paths_beside_the_file) {
  const auto context = resolve_context(sample(), "/etc/fw", std::nullopt);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->name, "trial");
  EXPECT_EQ(context->ca_file, "/etc/fw/ca.crt");
  EXPECT_EQ(context->key_file, "/etc/fw/people/alice.key");
  const auto far = resolve_context(sample(), "/etc/fw", "far");
  ASSERT_TRUE(far);
  EXPECT_EQ(far->ca_file, "/abs/ca.crt");
  EXPECT_EQ(far->server_name, "internal");
}

TEST(Contexts, say_which_names_there_are_when_one_is_wrong) {
  const auto unknown = resolve_context(sample(), "/etc/fw", "nope");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ExitCode::usage);
  EXPECT_NE(unknown.error().why.find("trial, far, broken"), std::string::npos);
  const auto incomplete = resolve_context(sample(), "/etc/fw", "broken");
  ASSERT_FALSE(incomplete);
  EXPECT_EQ(incomplete.error().why, "no cluster 'c3'");
}

TEST(Contexts, errors_name_the_line_or_the_field) {
  EXPECT_NE(parse_contexts("{\n\n  nonsense").error().context.find("line 3"), std::string::npos);
  EXPECT_EQ(parse_contexts(R"({"clusters":[{"name":"a","cluster":{"certificate-authority":"x"}}]})").error().context,
            "clusters[0]: server is missing");
  EXPECT_EQ(parse_contexts(R"({"users":[{"name":"a"}]})").error().context, "users[0] needs name and user");
  EXPECT_FALSE(parse_contexts(R"({"contexts":{}})"));
  EXPECT_FALSE(parse_contexts("[]"));
  EXPECT_FALSE(parse_contexts("{} {}"));
}

TEST(ConfigFolder, follows_the_documented_order) {
  std::map<std::string, std::string> values{{"HOME", "/home/a"}};
  const Environment environment = [&](const char* name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
  EXPECT_EQ(config_folder(environment), "/home/a/.config/fleetwright");
  values["XDG_CONFIG_HOME"] = "/xdg";
  EXPECT_EQ(config_folder(environment), "/xdg/fleetwright");
  values["FLEETWRIGHT_CONFIG_DIR"] = "/mine";
  EXPECT_EQ(config_folder(environment), "/mine");
}

}  // namespace
}  // namespace fw::cli
