#include "aggregator/cli/trial.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "aggregator/cli/context.hpp"
#include "aggregator/cli/files.hpp"
#include "protocol/transport/pki.hpp"

namespace fw::cli {
namespace {

namespace fs = std::filesystem;

class Trial : public ::testing::Test {
 protected:
  Trial() {
    std::string name = ::testing::TempDir() + "fw-trial-XXXXXX";
    root_ = ::mkdtemp(name.data());
    plan_.folder = root_ + "/set-up";
    plan_.nodes = {"node-a", "node-b"};
    plan_.people = {"alice", "bob"};
    plan_.host_name = "host-1";
    plan_.now_ns = 1'795'488'423'000'000'000;
  }
  ~Trial() override { fs::remove_all(root_); }

  std::string text(const std::string& name) { return *read_file(plan_.folder + "/" + name, kMaxConfigBytes); }
  std::vector<std::string> entries() {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(root_)) out.push_back(entry.path().filename());
    return out;
  }

  std::string root_;
  TrialPlan plan_;
};

TEST_F(Trial, keys_secrets_and_configurations_are_for_their_owner_only) {
  const auto files = make_trial(plan_);
  ASSERT_TRUE(files) << files.error().what << ": " << files.error().why;
  for (const auto& entry : fs::recursive_directory_iterator(plan_.folder)) {
    struct stat status{};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    const unsigned expected = entry.is_directory() ? 0700 : entry.path().extension() == ".crt" || entry.path().extension() == ".pub" ? 0644 : 0600;
    EXPECT_EQ(status.st_mode & 07777U, expected) << entry.path();
  }
  for (const auto& file : *files) EXPECT_TRUE(fs::exists(plan_.folder + "/" + file)) << file;
}

TEST_F(Trial, certificates_say_who_is_who_and_chain_to_their_authority) {
  ASSERT_TRUE(make_trial(plan_));
  using Kind = transport::PeerIdentity::Kind;
  const auto info = [&](const std::string& name) {
    return *transport::certificate_info_of_file(plan_.folder + "/" + name);
  };
  EXPECT_EQ(info("nodes/node-a/node.crt").identity.kind, Kind::node);
  EXPECT_NE(info("nodes/node-a/node.crt").identity.node_uid, info("nodes/node-b/node.crt").identity.node_uid);
  EXPECT_EQ(info("people/alice.crt").identity.kind, Kind::person);
  EXPECT_EQ(info("people/alice.crt").identity.name, "alice");
  EXPECT_EQ(info("people/alice.crt").issuer, info("authority/people-ca.crt").subject);
  EXPECT_EQ(info("nodes/node-a/node.crt").issuer, info("authority/node-ca.crt").subject);
  const auto server = info("aggregator/server.crt");
  EXPECT_EQ(server.identity.kind, Kind::server);
  EXPECT_NE(std::find(server.server_names.begin(), server.server_names.end(), "host-1"), server.server_names.end());
}

TEST_F(Trial, contexts_point_to_the_server_and_the_person) {
  ASSERT_TRUE(make_trial(plan_));
  const auto file = load_contexts(plan_.folder);
  ASSERT_TRUE(file) << file.error().why;
  const auto context = resolve_context(*file, plan_.folder, std::nullopt);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->server, "https://127.0.0.1:7444");
  EXPECT_EQ(context->certificate_file, plan_.folder + "/people/alice.crt");
}

TEST_F(Trial, a_wildcard_listener_is_reached_by_the_advertised_host) {
  plan_.listen_agents = "0.0.0.0:1000";
  plan_.listen_people = "[::]:2000";
  plan_.advertise = "fleet.example";
  ASSERT_TRUE(make_trial(plan_));
  EXPECT_NE(text("agent-node-a.yaml").find("address: \"fleet.example:1000\""), std::string::npos);
  EXPECT_NE(text("config.json").find("https://fleet.example:2000"), std::string::npos);
}

TEST_F(Trial, an_empty_folder_may_be_used_and_a_full_one_is_named_and_kept) {
  fs::create_directory(plan_.folder);
  ASSERT_TRUE(make_trial(plan_));
  const auto before = text("people/alice.key");
  const auto again = make_trial(plan_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ExitCode::usage);
  EXPECT_NE(again.error().why.find("aggregator.yaml"), std::string::npos);
  EXPECT_EQ(text("people/alice.key"), before);
  EXPECT_EQ(entries(), std::vector<std::string>{"set-up"});
}

TEST_F(Trial, refuses_names_and_ports_that_cannot_work) {
  const auto refused = [&](auto change) {
    auto plan = plan_;
    change(plan);
    const auto made = make_trial(plan);
    return !made && made.error().code == ExitCode::usage;
  };
  EXPECT_TRUE(refused([](TrialPlan& p) { p.nodes = {"../evil"}; }));
  EXPECT_TRUE(refused([](TrialPlan& p) { p.nodes = {"a", "a"}; }));
  EXPECT_TRUE(refused([](TrialPlan& p) { p.people = {"a b"}; }));
  EXPECT_TRUE(refused([](TrialPlan& p) { p.people = {""}; }));
  EXPECT_TRUE(refused([](TrialPlan& p) { p.people = {"alice", "alice"}; }));
  EXPECT_TRUE(refused([](TrialPlan& p) { p.people.clear(); }));
  EXPECT_TRUE(refused([](TrialPlan& p) { p.people = {"alice", "alice.sign"}; })) << "their files would meet";
  EXPECT_TRUE(refused([](TrialPlan& p) { p.folder += "/" + std::string(90, 'x'); })) << "no socket can be bound there";
  EXPECT_TRUE(refused([](TrialPlan& p) { p.listen_people = "nowhere"; }));
  EXPECT_TRUE(refused([](TrialPlan& p) { p.listen_people = "127.0.0.1:0"; }));
  EXPECT_TRUE(refused([](TrialPlan& p) { p.folder += "/a\"b"; }));
  EXPECT_FALSE(refused([](TrialPlan& p) { p.listen_people = "127.0.0.1:0", p.allow_port_zero = true; }));
}

TEST_F(Trial, the_name_of_this_machine_names_the_node_that_nobody_named) {
  const auto longest = std::string(63, 'x');
  for (const auto* host : {"host-1", "a", "9", "rack-3.example.com", longest.c_str()}) {
    plan_.nodes.clear();
    EXPECT_EQ(use_host_name(plan_, host), "") << host;
    EXPECT_EQ(plan_.nodes, std::vector<std::string>{host});
    EXPECT_EQ(plan_.host_name, host);
  }
}

TEST_F(Trial, a_machine_without_a_proper_name_is_node_1_and_localhost_and_the_person_is_told) {
  const auto too_long = std::string(64, 'x');
  for (const auto* host :
       {"(none)", "", "-a", "a-", "a..b", ".a", "a.", "my_host", "a b", "a\x1b[31m", too_long.c_str()}) {
    plan_.nodes.clear();
    const auto note = use_host_name(plan_, host);
    EXPECT_NE(note.find("node-1"), std::string::npos) << host << ": " << note;
    EXPECT_EQ(note.find('\x1b'), std::string::npos) << "not a byte for the terminal";
    EXPECT_EQ(plan_.nodes, std::vector<std::string>{"node-1"}) << host;
    EXPECT_EQ(plan_.host_name, "localhost") << host;
  }
  EXPECT_TRUE(make_trial(plan_));
}

TEST_F(Trial, nothing_is_said_of_the_machines_name_when_its_node_was_named) {
  EXPECT_EQ(use_host_name(plan_, "(none)"), "");
  EXPECT_EQ(plan_.nodes, (std::vector<std::string>{"node-a", "node-b"}));
  EXPECT_EQ(plan_.host_name, "localhost");
}

TEST_F(Trial, an_error_at_any_step_leaves_nothing) {
  std::vector<std::string> steps;
  auto probe = plan_;
  probe.folder = root_ + "/probe";
  ASSERT_TRUE(make_trial(probe, [&](std::string_view step) {
    steps.emplace_back(step);
    return Result<void>();
  }));
  fs::remove_all(probe.folder);
  ASSERT_GE(steps.size(), 8U);
  for (const auto& stop : steps) {
    const auto made = make_trial(plan_, [&](std::string_view step) {
      return step == stop ? Result<void>(Error(Errc::io, "disk full")) : Result<void>();
    });
    ASSERT_FALSE(made) << stop;
    EXPECT_NE(made.error().why.find("disk full"), std::string::npos);
    EXPECT_TRUE(entries().empty()) << stop;
  }
}

TEST_F(Trial, a_kill_in_the_middle_leaves_no_set_up_and_the_next_run_cleans_up) {
  for (const auto* stop : {"server certificate", "rename"}) {
    const pid_t child = ::fork();
    if (child == 0) {
      (void)make_trial(plan_, [&](std::string_view step) -> Result<void> {
        if (step == stop) ::_exit(9);
        return {};
      });
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(WEXITSTATUS(status), 9);
    EXPECT_FALSE(fs::exists(plan_.folder)) << stop;
  }
  ASSERT_TRUE(make_trial(plan_));
  EXPECT_EQ(entries(), std::vector<std::string>{"set-up"});
}

}  // namespace
}  // namespace fw::cli
