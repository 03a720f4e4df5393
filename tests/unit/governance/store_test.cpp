// The same rows through the real store and back, and a backup of it.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "aggregator/store/backup.hpp"
#include "fleet.hpp"

namespace fw::governance::test {
namespace {

namespace fs = std::filesystem;

class GovernanceStore : public testing::Test {
 protected:
  GovernanceStore() { fs::create_directories(folder_); }
  ~GovernanceStore() override { fs::remove_all(folder_); }

  static Result<store::Written> write(store::Store& store, store::WriteGovernance rows) {
    std::promise<Result<store::Written>> done;
    store.submit(std::move(rows), [&](Result<store::Written> written) { done.set_value(std::move(written)); });
    return done.get_future().get();
  }
  std::string file() const { return folder_ + "/store.db"; }
  std::string url() const { return "sqlite://" + file(); }
  const std::string folder_ = (fs::temp_directory_path() / ("fw-governance-" + std::to_string(::getpid()) + "-" + make_uuid_v4().str())).string();
};

TEST_F(GovernanceStore, gives_back_what_the_core_wrote) {
  Fleet fleet;
  fleet.explain();
  fleet.vote("alice");
  fleet.vote("bob");
  fleet.pass(2s);
  const Digest plan = fleet.plan().digest;
  const store::GovernanceRows& rows = fleet.store.rows;
  {
    auto store = store::open_store({.url = url()});
    ASSERT_TRUE(store);
    ASSERT_TRUE(write(**store, {.plans = rows.plans, .events = rows.events, .votes = rows.votes, .documents = rows.documents, .executors = rows.executors,
                                .audit = {{5, 1, "{\"a\":1}"}, {6, 2, "{\"b\":2}"}}, .sequenced = {}}));
    ASSERT_TRUE(write(**store, {.plans = rows.plans, .events = rows.events, .votes = rows.votes, .documents = rows.documents, .executors = rows.executors,
                                .audit = {}, .sequenced = {{5, 0}}})) << "the same again is no error";
  }
  auto store = store::open_store({.url = url()});
  ASSERT_TRUE(store);
  const auto back = (*store)->governance(100);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->plans.size(), rows.plans.size());
  EXPECT_EQ(back->events.size(), rows.events.size());
  EXPECT_EQ(back->votes.size(), 2U);
  ASSERT_EQ(back->audit.size(), 1U);
  EXPECT_EQ(back->audit.front().entry, "{\"b\":2}");
  EXPECT_EQ(back->last_audit_id, 6);
  Core core(CoreConfig{}, fleet.clock);
  const auto restored = core.restore(*back);
  ASSERT_TRUE(restored) << restored.error().message();
  ASSERT_NE(core.find(plan), nullptr);
  EXPECT_EQ(core.find(plan)->state, PlanState::done);
  EXPECT_EQ(core.find(plan)->log_index, fleet.plan().log_index);
  EXPECT_EQ(core.executors().size(), 1U);
  EXPECT_TRUE(core.enabled());
}

TEST_F(GovernanceStore, is_backed_up_with_the_log_and_put_back) {
  const std::string audit = folder_ + "/audit", backup = folder_ + "/backup";
  fs::create_directory(audit);
  std::ofstream(audit + "/checkpoint") << "head";
  std::ofstream(audit + "/entries-0000000000000000.jsonl") << "line\n";
  const store::Places places{.store_file = file(), .audit_folder = audit};
  {
    auto store = store::open_store({.url = url()});
    ASSERT_TRUE(store);
    ASSERT_TRUE(write(**store, {.plans = {}, .events = {}, .votes = {}, .documents = {}, .executors = {}, .audit = {{1, 1, "{}"}}, .sequenced = {}}));
    const auto made = store::back_up(places, backup);     // beside the running one
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_EQ(store::restore_backup(backup, places).error().code, Errc::conflict) << "it runs";
    ASSERT_TRUE(write(**store, {.plans = {}, .events = {}, .votes = {}, .documents = {}, .executors = {}, .audit = {{2, 1, "{}"}}, .sequenced = {}}));
  }
  EXPECT_EQ(store::back_up(places, backup).error().code, Errc::conflict) << "never over another backup";
  std::ofstream(audit + "/checkpoint") << "newer";
  const auto back = store::restore_backup(backup, places);
  ASSERT_TRUE(back) << back.error().message();
  auto store = store::open_store({.url = url()});
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->governance(10)->audit.size(), 1U);
  std::string head;
  std::ifstream(audit + "/checkpoint") >> head;
  EXPECT_EQ(head, "head");
  EXPECT_TRUE(fs::exists(audit + ".before-restore/checkpoint"));
  EXPECT_EQ(store::restore_backup(backup, {.store_file = folder_ + "/none.db", .audit_folder = ""}).has_error(), false);
}

TEST_F(GovernanceStore, half_a_backup_is_refused) {
  fs::create_directories(folder_ + "/half");
  EXPECT_EQ(store::restore_backup(folder_ + "/half", {.store_file = file(), .audit_folder = ""}).error().code, Errc::malformed);
  EXPECT_EQ(store::back_up({.store_file = folder_ + "/none", .audit_folder = ""}, folder_ + "/b").error().code, Errc::not_found);
}

}  // namespace
}  // namespace fw::governance::test
