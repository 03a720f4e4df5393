#include "common/config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/config/values.hpp"

namespace fw::config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

struct Sample {
  std::string address;
  std::string key_file;
  std::vector<std::string> names;
  bool enabled = true;
  std::int64_t shards = 2;
  std::uint64_t max_bytes = 65536;
  std::chrono::milliseconds period{10'000};
  std::string level = "info";
};

Schema schema_of(Sample& s) {
  Schema schema("sample");
  schema.text({.name = "server.address", .help = "Where it is.", .required = true, .check = check_host_port}, s.address);
  schema.path({.name = "tls.key", .help = "The key."}, s.key_file);
  schema.list({.name = "names", .help = "Some names."}, s.names);
  schema.boolean({.name = "feature.enabled", .help = "On or off."}, s.enabled);
  schema.integer({.name = "shards", .help = "How many.", .min = 1, .max = 64}, s.shards);
  schema.bytes({.name = "spool.max_bytes", .help = "How much.", .min = 4096}, s.max_bytes);
  schema.duration({.name = "sample.period", .help = "How often.", .min = 1000, .max = 3'600'000}, s.period);
  schema.text({.name = "log.level", .help = "Which.", .choices = {"info", "debug"}}, s.level);
  return schema;
}

std::vector<std::string> messages(const std::vector<Problem>& problems) {
  std::vector<std::string> out;
  for (const auto& problem : problems) out.push_back(problem.message());
  return out;
}
std::vector<std::string> load(std::string_view yaml) {
  Sample sample;
  return messages(schema_of(sample).load_text("a.yaml", yaml));
}

TEST(Config, fills_the_struct_from_nested_and_dotted_keys) {
  Sample s;
  EXPECT_THAT(messages(schema_of(s).load_text("/etc/x/a.yaml",
                                              "server: {address: 'host:1'}\ntls:\n  key: k.pem\nnames: [a, b]\nfeature.enabled: false\n"
                                              "shards: 3\nspool:\n  max_bytes: 16MiB\nsample.period: 2m\nlog: {level: debug}\n")),
              ElementsAre());
  EXPECT_EQ(s.address, "host:1");
  EXPECT_EQ(s.key_file, "/etc/x/k.pem");  // relative to the file that names it
  EXPECT_THAT(s.names, ElementsAre("a", "b"));
  EXPECT_FALSE(s.enabled);
  EXPECT_EQ(s.shards, 3);
  EXPECT_EQ(s.max_bytes, 16U << 20U);
  EXPECT_EQ(s.period, 2min);
  EXPECT_EQ(s.level, "debug");
}

TEST(Config, reports_all_errors_together_with_file_and_line) {
  EXPECT_THAT(load("server:\n"
                   "  address: nowhere\n"
                   "  adress: x:1\n"
                   "shards: 65\n"
                   "sample.period: 10\n"
                   "spool.max_bytes: lots\n"
                   "feature.enabled: yes\n"
                   "log.level: loud\n"
                   "tls.key: [a]\n"),
              ElementsAre("a.yaml:3: server.adress: unknown key; did you mean server.address?",
                          "a.yaml:4: shards: 65 is outside of 1 to 64",
                          "a.yaml:5: sample.period: '10' is not a duration such as 500ms, 10s, 5m or 1h",
                          "a.yaml:6: spool.max_bytes: 'lots' is not a size such as 4096, 64KiB, 16MiB or 1GiB",
                          "a.yaml:7: feature.enabled: 'yes' is not true or false",
                          "a.yaml:8: log.level: 'loud' is not one of info, debug",
                          "a.yaml:9: tls.key: expected one value, not a list",
                          "a.yaml:2: server.address: 'nowhere' is not host:port"));
}

struct Case {
  const char* yaml;
  const char* message;
};
class ConfigError : public ::testing::TestWithParam<Case> {};
TEST_P(ConfigError, names_the_place) { EXPECT_THAT(load(GetParam().yaml), ::testing::Contains(GetParam().message)) << GetParam().yaml; }
INSTANTIATE_TEST_SUITE_P(
    Yaml, ConfigError,
    ::testing::Values(
        Case{"server.address: 'h:1'\nshards: 1\nshards: 2\n", "a.yaml:3: shards: given twice"},
        Case{"level: debug\n", "a.yaml:1: level: unknown key; did you mean log.level?"},
        Case{"zzz: 1\n", "a.yaml:1: zzz: unknown key"},
        Case{"shards: &a 1\n", "a.yaml:1: anchors are not supported"},
        Case{"names: [[a]]\n", "a.yaml:1: a list inside a list is not supported"},
        Case{"- a\n", "a.yaml:1: expected keys and values, not a list"},
        Case{"just text\n", "a.yaml:1: expected keys and values"},
        Case{"", "a.yaml: server.address: required but not set. Where it is."},
        Case{"server.address:\n", "a.yaml:1: server.address: must not be empty"},
        Case{"shards: -1\n", "a.yaml:1: shards: -1 is outside of 1 to 64"},
        Case{"shards: 99999999999999999999\n", "a.yaml:1: shards: '99999999999999999999' is not a whole number"},
        Case{"spool.max_bytes: 99999999TiB\n", "a.yaml:1: spool.max_bytes: '99999999TiB' is not a size such as 4096, 64KiB, 16MiB or 1GiB"}));

TEST(Config, broken_yaml_names_its_line) {
  const auto problems = load("shards: 1\nnames: [a\nlog: {\n");
  ASSERT_FALSE(problems.empty());
  EXPECT_THAT(problems.front(), ::testing::StartsWith("a.yaml:"));
}

class ConfigFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fw-config-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    const auto path = std::filesystem::path(folder_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  std::string folder_;
};

TEST_F(ConfigFiles, a_later_source_wins_and_print_names_it) {
  const auto file = write("a.yaml", "server.address: 'one:1'\nshards: 1\nlog.level: debug\n");
  const auto second = write("a.d/20-b.yaml", "shards: 3\n");
  write("a.d/10-a.yaml", "shards: 2\nsample.period: 30s\n");
  write("a.d/notes.txt", "not: yaml: at all");
  Sample s;
  auto schema = schema_of(s);
  EXPECT_THAT(messages(schema.load({.file = file, .sets = {"log.level=info"}})), ElementsAre());
  EXPECT_EQ(s.shards, 3);
  EXPECT_EQ(s.period, 30s);
  EXPECT_EQ(s.level, "info");
  const auto text = schema.print();
  EXPECT_THAT(text, ::testing::HasSubstr("shards: 3  # " + second + ":1\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("log.level: info  # --set\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("feature.enabled: true  # built-in\n"));

  Sample again;
  EXPECT_THAT(messages(schema_of(again).load_text("printed.yaml", text)), ElementsAre());
  EXPECT_EQ(again.shards, 3);
  EXPECT_EQ(again.address, "one:1");
}

TEST_F(ConfigFiles, a_missing_file_and_wrong_flags_are_reported_together) {
  Sample s;
  const auto problems = messages(schema_of(s).load({.file = folder_ + "/none.yaml", .sets = {"shards", "shard=1", "shards=0"}, .strict = false}));
  ASSERT_EQ(problems.size(), 4U);
  EXPECT_THAT(problems[0], ::testing::StartsWith(folder_ + "/none.yaml: "));
  EXPECT_EQ(problems[1], "--set: 'shards' is not KEY=VALUE");
  EXPECT_EQ(problems[2], "--set: shard: unknown key; did you mean shards?");
  EXPECT_EQ(problems[3], "--set: shards: 0 is outside of 1 to 64");
}

TEST(Config, the_documentation_table_has_every_key) {
  Sample s;
  const auto table = schema_of(s).docs_table();
  EXPECT_THAT(table, ::testing::HasSubstr("| `server.address` | text | required |  | Where it is. |\n"));
  EXPECT_THAT(table, ::testing::HasSubstr("| `spool.max_bytes` | bytes | `64KiB` | 4KiB or more | How much. |\n"));
  EXPECT_THAT(table, ::testing::HasSubstr("| `sample.period` | duration | `10s` | 1s to 1h | How often. |\n"));
}

TEST(ConfigValues, durations_and_sizes_print_what_they_read) {
  for (const auto* text : {"0", "1ms", "1500ms", "90s", "5m", "2h"}) EXPECT_EQ(print_duration(*parse_duration(text)), text);
  for (const auto* text : {"0", "1", "64KiB", "3MiB", "1GiB", "2TiB"}) EXPECT_EQ(print_bytes(*parse_bytes(text)), text);
  for (const auto* text : {"", "s", "1.5s", "-1s", "1 day", "10"}) EXPECT_FALSE(parse_duration(text)) << text;
  for (const auto* text : {"", "KB", "1kb", "-1", "1e6"}) EXPECT_FALSE(parse_bytes(text)) << text;
}

TEST(ConfigValues, host_and_port) {
  for (const auto* text : {"host:1", "10.0.0.1:65535", "[::1]:8443", "a.b.c:0"}) EXPECT_FALSE(check_host_port(text)) << text;
  for (const auto* text : {"", "host", "host:", ":1", "::1:1", "host:65536", "host:x"}) EXPECT_TRUE(check_host_port(text)) << text;
}

}  // namespace
}  // namespace fw::config
