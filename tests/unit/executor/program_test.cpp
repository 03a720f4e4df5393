// The command line, and every reason for which the program does not start. Parts that cannot be undone run in a child.
#include "node-agent/executor/app/program.hpp"

#include <gmock/gmock.h>
#include <fcntl.h>
#include <signal.h>

#include <optional>

#include "common/clock.hpp"
#include "common/exit_code.hpp"
#include "tests/support/authority_builder.hpp"
#include "tests/unit/executor/host_tree.hpp"

namespace fw::executor::test {
namespace {

using namespace authority;
namespace made = authority::test;
using testing::HasSubstr;

struct Said { int code; std::string out, err; };

class Program : public testing::Test {
 protected:
  HostTree tree{Hierarchy::v2};
  std::int64_t now_ms = SystemClock().wall_ns() / kNsPerMs;
  Policy policy = made::team_policy();
  std::map<std::string, std::string> sets;

  void SetUp() override {
    policy.issued_ms = now_ms - 1000;
    policy.not_after_ms = now_ms + 30 * 24 * made::kHourMs;
    const auto bytes = to_bytes(policy);
    write("policy.bin", bytes);
    sets = {{"node.uid", made::node_uid().str()}, {"socket.path", tree.top() + "/run/x.sock"}, {"journal.folder", tree.top() + "/journal"},
            {"policy.file", tree.top() + "/policy.bin"}, {"policy.sha256", to_text(sha256(bytes))}, {"cgroup.root", tree.top()}};
  }
  void write(const std::string& name, const Bytes& bytes) const { tree.put("/" + name, std::string(bytes.begin(), bytes.end())); }
  std::vector<std::string> words(std::vector<std::string> out) const {
    for (const auto& [key, value] : sets) {
      out.emplace_back("--set");
      out.push_back(key + "=" + value);
    }
    return out;
  }
  static int run_words(std::vector<std::string> words) {
    words.insert(words.begin(), "fleetwright-executor");
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    return run_program(static_cast<int>(arguments.size()), arguments.data());
  }
  static Said run(const std::vector<std::string>& words) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = run_words(words);
    return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
  }
  // A run in a child, its exit code and then what it wrote to stderr: of a confined program a descriptor that was there before.
  std::string run_in_child(const std::function<void()>& before) const {
    const auto log = tree.top() + "/log";
    const auto code = in_child([&] {
      const UniqueFd file(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
      ::dup2(file.get(), STDERR_FILENO);
      before();
      return std::to_string(run_words(words({})));
    });
    return code + " " + tree.text("/log");
  }
  // Of a program to which this signal comes before it serves.
  std::string start(int number, const std::function<void()>& before = [] {}) const {
    return run_in_child([&] {
      sigset_t set;
      ::sigemptyset(&set);
      ::sigaddset(&set, number);
      ::sigprocmask(SIG_BLOCK, &set, nullptr);
      ::raise(number);
      before();
    });
  }
  // Of one to which this happens.
  std::string refused(const std::string& call, Told told) const {
    return run_in_child([&] {
      static std::optional<FailingCall> failing;
      failing.emplace(call, told);
    });
  }
  Plan good_plan() const {
    auto plan = made::plan();
    plan.target.cgroup_path = HostTree::kGroup;
    plan.not_before_ms = now_ms - 1000;
    plan.not_after_ms = now_ms + made::kHourMs;
    for (auto& check : plan.preconditions) check.value = 64 * kMiB;
    return plan;
  }
  Bytes envelope(const Plan& plan) const {
    Envelope out;
    out.action_class = class_of(plan);
    out.plan = to_bytes(plan);
    for (const std::string name : {"alice", "bob"}) {
      auto yes = made::approval(plan, name);
      yes.issued_ms = now_ms - 500;
      yes.expires_ms = now_ms + made::kHourMs;
      out.votes.push_back(made::sign(yes, name));
    }
    made::Log log;
    return encode(made::released(std::move(out), log));
  }
};

TEST_F(Program, verbs_that_only_look) {
  EXPECT_EQ(run({"--version"}).code, to_int(ExitCode::ok));
  EXPECT_THAT(run({"--help"}).out, HasSubstr("--dry-run"));
  EXPECT_EQ(run({"--version", "--print-config"}).code, to_int(ExitCode::usage));
  EXPECT_EQ(run({"--nonsense"}).code, to_int(ExitCode::usage));
  EXPECT_EQ(run(words({"--check-config"})).out, "configuration ok\n");
  EXPECT_THAT(run(words({"--print-config"})).out, HasSubstr("node.uid"));
  EXPECT_EQ(run({"--check-config"}).code, to_int(ExitCode::usage));
  tree.put("/executor.yaml", "socket.path: " + tree.top() + "/run/y.sock\n");
  EXPECT_THAT(run({"--config", tree.top() + "/executor.yaml", "--print-config"}).out, HasSubstr("/run/y.sock"));
}

TEST_F(Program, a_dry_run_says_what_would_be_done_and_does_nothing) {
  write("good.bin", envelope(good_plan()));
  const auto files = tree.everything();
  const auto said = run(words({"--dry-run", tree.top() + "/good.bin"}));
  EXPECT_EQ(said.code, to_int(ExitCode::ok)) << said.out << said.err;
  EXPECT_THAT(said.out, HasSubstr("would act"));
  EXPECT_EQ(tree.everything(), files);
  tree.put("/sys/fs/cgroup/shop/checkout/memory.max", "1");
  EXPECT_EQ(run(words({"--dry-run", tree.top() + "/good.bin"})).code, to_int(ExitCode::plan_changed));
}

TEST_F(Program, a_dry_run_needs_its_files) {
  write("good.bin", envelope(good_plan()));
  const auto dry = words({"--dry-run", tree.top() + "/good.bin"});
  EXPECT_EQ(run(words({"--dry-run", tree.top() + "/nothing"})).code, to_int(ExitCode::failure));
  write("huge.bin", Bytes(kMaxEnvelopeBytes + 1));
  EXPECT_THAT(run(words({"--dry-run", tree.top() + "/huge.bin"})).err, HasSubstr("more than"));
  sets["cgroup.root"] = tree.top() + "/nowhere";
  EXPECT_EQ(run(words({"--dry-run", tree.top() + "/good.bin"})).code, to_int(ExitCode::failure));
  sets["cgroup.root"] = tree.top();
  sets["policy.sha256"] = to_text(sha256({}));
  EXPECT_EQ(run(words({"--dry-run", tree.top() + "/good.bin"})).code, to_int(ExitCode::usage));
  write("policy.bin", {});   // of that digest, and no policy
  EXPECT_EQ(run(words({"--dry-run", tree.top() + "/good.bin"})).code, to_int(ExitCode::failure));
  write("policy.bin", Bytes(kMaxPolicyBytes + 1));
  EXPECT_THAT(run(words({"--dry-run", tree.top() + "/good.bin"})).err, HasSubstr("more than"));
  {
    const FailingCall failing("open", {EACCES});   // which boot this is
    EXPECT_EQ(run(dry).code, to_int(ExitCode::unprivileged));
  }
  const FailingCall empty("read", {.result = 0});
  EXPECT_EQ(run(dry).code, to_int(ExitCode::failure));
}

TEST_F(Program, starts_and_ends_by_a_signal) {
  EXPECT_THAT(start(SIGTERM), testing::AllOf(testing::StartsWith("0 "), HasSubstr("executor started"), HasSubstr("stopping")));
  EXPECT_THAT(start(SIGINT), testing::StartsWith("130 "));
}

TEST_F(Program, says_what_keeps_it_from_starting) {
  tree.put("/file", "x");
  const auto with = [&](const std::string& key, const std::string& value) {
    const auto before = std::exchange(sets[key], value);
    const auto said = start(SIGTERM);
    sets[key] = before;
    return said;
  };
  EXPECT_THAT(with("cgroup.root", tree.top() + "/nowhere"), testing::AllOf(testing::StartsWith("1 "), HasSubstr("host")));
  EXPECT_THAT(with("journal.folder", tree.top() + "/file/x"), HasSubstr("journal.folder"));
  EXPECT_THAT(with("socket.path", tree.top() + "/file/x"), testing::AllOf(testing::StartsWith("3 "), HasSubstr("socket.path")));
  EXPECT_THAT(with("policy.sha256", to_text(sha256({}))), testing::AllOf(testing::StartsWith("3 "), HasSubstr("SHA-256")));
  EXPECT_THAT(refused("open", {EACCES}), testing::StartsWith("3 "));
  EXPECT_THAT(refused("signalfd", {EMFILE}), HasSubstr("signalfd"));
  EXPECT_THAT(refused("prctl", {EINVAL}), HasSubstr("no_new_privs"));
  EXPECT_THAT(refused("seccomp_load", {.result = -EINVAL}), HasSubstr("seccomp"));
  EXPECT_THAT(refused("ppoll", {EINVAL}), testing::AllOf(testing::StartsWith("1 "), HasSubstr("executor ends")));
}

TEST_F(Program, acts_only_with_the_right_to) {
  sets["actions.observe_only"] = "false";
  if (::geteuid() == 0) {
    EXPECT_THAT(start(SIGTERM), testing::StartsWith("0 "));
  }
  EXPECT_THAT(refused("capng_have_capability", {.result = 0}), testing::AllOf(testing::StartsWith("3 "), HasSubstr("the right kill is missing")));
}

TEST_F(Program, a_full_disk_is_said_and_does_not_keep_an_old_journal_from_answering) {
  ASSERT_THAT(start(SIGTERM), testing::StartsWith("0 "));
  EXPECT_THAT(start(SIGTERM, [] { static const FailingCall full("write", {.error_number = ENOSPC, .times = 1}); }),
              testing::AllOf(testing::StartsWith("0 "), HasSubstr("executor started"), HasSubstr("problem=")));
}

}  // namespace
}  // namespace fw::executor::test
