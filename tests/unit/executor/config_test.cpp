#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "node-agent/executor/app/confine.hpp"
#include "node-agent/executor/app/executor_config.hpp"

namespace fw::executor {
namespace {

using testing::HasSubstr;

std::string page(const std::string& name) {
  std::ifstream in(std::string(FW_SOURCE_DIR) + "/docs/" + name);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(ExecutorConfig, page_has_the_table_of_every_key) {
  ExecutorProgramConfig config;
  const auto table = schema_of(config).docs_table();
  EXPECT_THAT(page("configuration.md"), HasSubstr(table)) << "put this table into docs/configuration.md:\n" << table;
}

TEST(ExecutorConfig, example_file_is_a_complete_configuration) {
  ExecutorProgramConfig config;
  for (const auto& problem : schema_of(config).load_text("executor.example.yaml", page("executor.example.yaml"), false)) ADD_FAILURE() << problem.message();
  EXPECT_FALSE(config.node_uid.empty());
  EXPECT_TRUE(config.observe_only);
}

TEST(ExecutorConfig, what_is_wrong_is_named) {
  ExecutorProgramConfig config;
  std::string all;
  for (const auto& problem : schema_of(config).load_text("x.yaml", "node.uid: nobody\npolicy.file: /nowhere\npolicy.sha256: 12\n")) all += problem.message() + "\n";
  EXPECT_THAT(all, HasSubstr("node.uid: not a UUID"));
  EXPECT_THAT(all, HasSubstr("policy.sha256: not a SHA-256"));
  EXPECT_THAT(all, HasSubstr("policy.file"));
}

TEST(ExecutorDocs, system_calls_of_the_page_are_those_of_the_filter) {
  std::string list;
  for (const auto name : allowed_system_calls()) list += (list.empty() ? "" : " ") + std::string(name);
  EXPECT_THAT(page("executor.md"), HasSubstr(list)) << "put this list into docs/executor.md:\n" << list;
}

}  // namespace
}  // namespace fw::executor
