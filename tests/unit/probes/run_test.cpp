// Results: redacted, bounded, one JSON object; kinds on a made tree.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>

#include "node-agent/probes/run.hpp"
#include "protocol/limits.hpp"
#include "protocol/wire/codec.hpp"

namespace fw::probes {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

const KindInfo& kind(std::string_view name) {
  for (const auto& one : kinds()) {
    if (one.name == name) return one;
  }
  throw std::runtime_error("no such kind");
}

class ProbeRun : public testing::Test {
 protected:
  ProbeRun() : root(fs::temp_directory_path() / ("fw-probes-" + std::to_string(::getpid()))) {
    fs::remove_all(root);
    write("proc/self/mountinfo", "30 24 0:26 / /cg rw shared:9 - cgroup2 cgroup2 rw\n");
    write("cg/cgroup.controllers", "cpu memory pids\n");
  }
  ~ProbeRun() override { fs::remove_all(root); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path, std::ios::binary) << text;
  }

  json::object run(std::string_view name, Target target, std::vector<wire::ProbeArgument> arguments = {}, wire::ProbeStatus status = wire::ProbeStatus::done) {
    auto request = parse_request({.id = 7, .kind = std::string(name), .target = target.cgroup_path, .arguments = std::move(arguments), .deadline_ms = 5'000}).value();
    request.target = std::move(target);
    const auto result = run_probe(request, {.proc = root / "proc", .prefix = root});
    EXPECT_EQ(result.status, status) << result.text;
    EXPECT_TRUE(wire::check(result));
    return status == wire::ProbeStatus::done ? json::parse(result.text).as_object() : json::object{{"why", result.text}};
  }

  fs::path root;
};

TEST_F(ProbeRun, log_tail_reads_the_newest_lines_redacted) {
  const std::string id = "0123456789abcdef";
  write("var/log/pods/shop_checkout_u1/app/0.log", "one\ntwo password=hunter2\nthree\n");
  fs::create_directories(root / "var/log/containers");
  fs::create_symlink(root / "var/log/pods/shop_checkout_u1/app/0.log", root / ("var/log/containers/checkout_shop_app-" + id + ".log"));
  const auto result = run("log_tail", {.cgroup_path = "/x", .container_id = id, .container_name = "", .pod_uid = "", .name = "checkout"}, {{"lines", "2"}});
  EXPECT_EQ(result.at("text").as_string(), "two password=[redacted:keyed]\nthree\n");
  EXPECT_EQ(result.at("redacted").as_object().at("keyed").as_int64(), 1);
  EXPECT_EQ(result.at("kind").as_string(), "log_tail");
  EXPECT_FALSE(result.at("truncated").as_bool());
}

TEST_F(ProbeRun, log_tail_takes_the_file_of_the_newest_restart) {
  write("var/log/pods/shop_checkout_u1/app/9.log", "old\n");
  write("var/log/pods/shop_checkout_u1/app/10.log", "new\n");
  const auto result = run("log_tail", {.cgroup_path = "/x", .container_id = "", .container_name = "app", .pod_uid = "u1", .name = "checkout"});
  EXPECT_EQ(result.at("text").as_string(), "new\n");
}

TEST_F(ProbeRun, log_tail_follows_no_link_out_of_the_folders_of_logs) {
  write("etc/shadow", "root:x\n");
  fs::create_directories(root / "var/log/pods/shop_checkout_u1/app");
  fs::create_symlink(root / "etc/shadow", root / "var/log/pods/shop_checkout_u1/app/0.log");
  const auto refused = run("log_tail", {.cgroup_path = "/x", .container_id = "", .container_name = "app", .pod_uid = "u1", .name = "checkout"}, {}, wire::ProbeStatus::failed);
  EXPECT_NE(std::string(refused.at("why").as_string()).find("not in a folder of container logs"), std::string::npos);
}

TEST_F(ProbeRun, process_table_lists_the_cgroup_and_those_below_largest_first) {
  write("cg/a/cgroup.procs", "10\n");
  write("cg/a/b/cgroup.procs", "11\n12\n");
  write("proc/10/stat", "10 (small) S 1 10 10 0 -1 0 0 0 0 0 100 0 0 0 20 0 1 0 0 0 5");
  write("proc/11/stat", "11 (big) D 10 10 10 0 -1 0 0 0 0 0 100 100 0 0 20 0 4 0 0 0 500");
  write("proc/11/cmdline", std::string("app\0--token\0abcdef0123456789xyz\0", 33));
  const auto result = run("process_table", {.cgroup_path = "/a", .container_id = "", .container_name = "", .pod_uid = "", .name = "a"});
  const auto& rows = result.at("rows").as_array();
  ASSERT_EQ(rows.size(), 2U);   // 12 ended meanwhile
  const auto& first = rows[0].as_object();
  EXPECT_EQ(first.at("comm").as_string(), "big");
  EXPECT_EQ(first.at("state").as_string(), "D");
  EXPECT_EQ(first.at("threads").to_number<int>(), 4);
  EXPECT_EQ(first.at("argv").as_string(), "app --token [redacted:flag]");
}

TEST_F(ProbeRun, effective_limits_name_the_level_that_counts) {
  write("cg/a/b/memory.max", "max\n");
  write("cg/a/b/memory.current", "1000\n");
  write("cg/a/memory.max", "536870912\n");
  write("cg/a/memory.current", "2000\n");
  write("cg/memory.max", "max\n");
  write("cg/a/b/cpu.max", "50000 100000\n");
  write("cg/a/cpu.max", "100000 100000\n");
  const auto result = run("effective_limits", {.cgroup_path = "/a/b", .container_id = "", .container_name = "", .pod_uid = "", .name = "b"});
  const auto& effective = result.at("effective").as_object();
  EXPECT_EQ(effective.at("memory_bytes").as_object().at("path").as_string(), "/a");
  EXPECT_EQ(effective.at("memory_bytes").as_object().at("limit").to_number<std::int64_t>(), 536870912);
  EXPECT_EQ(effective.at("cpu_millicores").as_object().at("path").as_string(), "/a/b");
  EXPECT_EQ(effective.at("cpu_millicores").as_object().at("limit").to_number<int>(), 500);
}

TEST_F(ProbeRun, directory_sizes_stay_in_their_folder) {
  write("data/big", std::string(2'000'000, 'x'));
  write("data/sub/small", std::string(10'000, 'x'));
  write("secret/file", std::string(4'000'000, 'x'));
  fs::create_symlink(root / "secret", root / "data/link");
  const auto result = run("directory_sizes", {}, {{"path", "/data"}});
  const auto bytes = result.at("bytes").to_number<std::uint64_t>();
  EXPECT_GE(bytes, 2'010'000U);
  EXPECT_LT(bytes, 3'000'000U);
  EXPECT_EQ(result.at("files").to_number<int>(), 3);   // the link itself is one
  // A link to the outside is resolved below the root that was given.
  fs::create_symlink("/etc", root / "data/escape");
  run("directory_sizes", {}, {{"path", "/data/escape"}}, wire::ProbeStatus::not_found);
}

TEST_F(ProbeRun, what_is_gone_is_not_found) {
  const auto refused = run("process_table", {.cgroup_path = "/gone", .container_id = "", .container_name = "", .pod_uid = "", .name = "gone"}, {}, wire::ProbeStatus::not_found);
  EXPECT_NE(std::string(refused.at("why").as_string()).find("/gone"), std::string::npos);
}

TEST(ProbeRender, leaves_rows_out_until_the_result_fits) {
  Request request;
  request.kind = &kind("process_table");
  Answer answer;
  for (int i = 0; i < 1000; ++i) answer.rows.push_back(json::object{{"argv", std::string(1000, 'x')}});
  const auto text = render_answer(request, std::move(answer), 1.0);
  EXPECT_LE(text.size(), limits::kMaxProbeResultBytes);
  const auto result = json::parse(text).as_object();
  EXPECT_TRUE(result.at("truncated").as_bool());
  EXPECT_GT(result.at("rows").as_array().size(), 10U);
}

TEST(ProbeRender, keeps_the_end_of_a_long_text_and_any_bytes_become_text) {
  Request request;
  request.kind = &kind("log_tail");
  Answer answer;
  for (int i = 0; i < 20'000; ++i) answer.text += "line \xff\x01\x02 " + std::to_string(i) + "\n";
  const auto text = render_answer(request, std::move(answer), 1.0);
  EXPECT_LE(text.size(), limits::kMaxProbeResultBytes);
  EXPECT_TRUE(wire::check(wire::ProbeResult{1, wire::ProbeStatus::done, text}));
  const auto result = json::parse(text).as_object();
  EXPECT_TRUE(result.at("truncated").as_bool());
  EXPECT_TRUE(std::string(result.at("text").as_string()).ends_with("19999\n"));
}

}  // namespace
}  // namespace fw::probes
