#include <gtest/gtest.h>

#include "aggregator/changes/received.hpp"

namespace fw::changes {
namespace {

Change change(Outcome outcome, std::optional<std::int64_t> finished_ns = std::nullopt) {
  Change c;
  c.id = make_uuid_v4();
  c.started_ns = 100;
  c.outcome = outcome;
  c.finished_ns = finished_ns;
  return c;
}

TEST(Merge, keeps_the_identity_of_the_first_delivery) {
  Change stored = change(Outcome::in_progress);
  stored.received_ns = 7;
  const Change merged = merge(stored, change(Outcome::success, 200));
  EXPECT_EQ(merged.id, stored.id);
  EXPECT_EQ(merged.received_ns, 7);
  EXPECT_EQ(merged.outcome, Outcome::success);
  EXPECT_EQ(merged.finished_ns, 200);
}

TEST(Merge, does_not_take_an_end_back_when_an_older_delivery_is_late) {
  const Change merged = merge(change(Outcome::success, 200), change(Outcome::in_progress));
  EXPECT_EQ(merged.outcome, Outcome::success);
  EXPECT_EQ(merged.finished_ns, 200);
  EXPECT_EQ(merge(change(Outcome::failure, 300), change(Outcome::success, 200)).outcome, Outcome::failure);
}

TEST(Merge, ends_the_same_whatever_the_order_of_deliveries) {
  const Change begun = change(Outcome::in_progress);
  const Change failed = change(Outcome::failure, 200);
  const Change succeeded = change(Outcome::success, 300);
  for (const auto& merged : {merge(merge(begun, failed), succeeded), merge(merge(succeeded, begun), failed), merge(merge(failed, succeeded), begun)}) {
    EXPECT_EQ(merged.outcome, Outcome::success);
    EXPECT_EQ(merged.finished_ns, 300);
  }
}

TEST(Merge, never_replaces_what_is_known_by_what_is_not) {
  Change stored = change(Outcome::in_progress);
  stored.actor = "alice";
  stored.title = "deploy";
  stored.object = {"", "Deployment", "shop", "checkout", "", "", "", ""};
  stored.fields = {{"image", "a", "b"}};
  Change incoming = change(Outcome::unknown);
  incoming.object = {"", "Repository", "", "checkout-repo", "", "", "", ""};
  incoming.started_ns = 90;
  const Change merged = merge(stored, incoming);
  EXPECT_EQ(merged.actor, "alice");
  EXPECT_EQ(merged.title, "deploy");
  EXPECT_EQ(merged.object.name, "checkout");
  EXPECT_EQ(merged.fields.size(), 1U);
  EXPECT_EQ(merged.outcome, Outcome::in_progress);
  EXPECT_EQ(merged.started_ns, 90);
}

}  // namespace
}  // namespace fw::changes
