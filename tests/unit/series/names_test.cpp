#include "aggregator/fleet/names.hpp"

#include <gtest/gtest.h>

namespace fw::fleet {
namespace {

const Uuid kNode = make_uuid_v4(), kBoot = make_uuid_v4();

EntityPtr entity(std::uint64_t cgroup_id, wire::EntityKind kind, const std::string& path, const std::string& name, const std::string& pod = "",
                 const std::string& container_name = "") {
  Entity out;
  out.key = {kNode, kBoot, cgroup_id};
  out.kind = kind;
  out.cgroup_path = path;
  out.name = name;
  out.pod_name = pod;
  if (!pod.empty()) out.pod_namespace = "shop";
  if (kind == wire::EntityKind::pod) out.pod_uid = "u-2";
  out.container_name = container_name;
  if (!container_name.empty()) out.container_id = std::string(63, 'a') + std::to_string(cgroup_id);
  return std::make_shared<const Entity>(std::move(out));
}

EntityPtr container(std::uint64_t cgroup_id, const std::string& pod, const std::string& name) {
  return entity(cgroup_id, wire::EntityKind::container, "/kubepods/" + std::to_string(cgroup_id), "abcdef012345", pod, name);
}

class NamesTest : public ::testing::Test {
 protected:
  NamesTest() {
    fleet_.node(kNode, 1).name = "node-a";
    fleet_.on_connected(kNode, kBoot, 1);
    for (const auto& one : {container(1, "web-1", "app"), container(2, "web-2", "app"), container(3, "web-2", "sidecar"),
                            entity(4, wire::EntityKind::pod, "/kubepods/pod2", "pod2", "web-2"),
                            entity(5, wire::EntityKind::service, "/system.slice/cron.service", "cron.service")}) {
      fleet_.upsert(one, 1);
    }
  }
  Result<EntityPtr> find(std::string_view name) const { return find_entity(fleet_.entities_of(kNode), name); }
  std::uint64_t id(std::string_view name) const {
    const auto found = find(name);
    return found ? (*found)->key.cgroup_id : 0;
  }
  Fleet fleet_;
};

TEST_F(NamesTest, every_usual_name_finds_its_entity) {
  EXPECT_EQ(id("sidecar"), 3U);
  EXPECT_EQ(id("container/sidecar"), 3U);
  EXPECT_EQ(id("web-1/app"), 1U);
  EXPECT_EQ(id("shop/web-2/app"), 2U);
  EXPECT_EQ(id("web-2"), 4U);
  EXPECT_EQ(id("pod/web-2"), 4U);
  EXPECT_EQ(id("shop/web-2"), 4U);
  EXPECT_EQ(id("u-2"), 4U);
  EXPECT_EQ(id("cron.service"), 5U);
  EXPECT_EQ(id("/system.slice/cron.service"), 5U);
  EXPECT_EQ(id("system.slice/cron.service"), 5U);
  EXPECT_EQ(id(std::string(63, 'a') + "2"), 2U);
}

TEST_F(NamesTest, a_name_of_several_lists_them) {
  const auto found = find("app");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Errc::conflict);
  EXPECT_EQ(found.error().context, "2 things are called app: /kubepods/1, /kubepods/2");
}

TEST_F(NamesTest, what_is_alive_goes_before_what_is_gone) {
  fleet_.remove({kNode, kBoot, 1}, 2);
  EXPECT_EQ(id("app"), 2U);
  EXPECT_EQ(id("web-1/app"), 1U);   // still readable for a while
}

TEST_F(NamesTest, nobody_is_not_found) {
  ASSERT_FALSE(find("nobody"));
  EXPECT_EQ(find("nobody").error().code, Errc::not_found);
  EXPECT_FALSE(find(""));
}

TEST_F(NamesTest, nodes_are_found_by_name_and_uid) {
  EXPECT_EQ((*find_node(fleet_, "node-a"))->uid, kNode);
  EXPECT_EQ((*find_node(fleet_, kNode.str()))->uid, kNode);
  EXPECT_EQ(find_node(fleet_, "node-b").error().code, Errc::not_found);
  fleet_.node(make_uuid_v4(), 1).name = "node-a";
  EXPECT_EQ(find_node(fleet_, "node-a").error().code, Errc::conflict);
}

TEST(DisplayName, is_what_people_know_it_by) {
  EXPECT_EQ(display_name(*container(1, "web-1", "app")), "web-1/app");
  EXPECT_EQ(display_name(*entity(5, wire::EntityKind::service, "/c", "cron.service")), "cron.service");
}

}  // namespace
}  // namespace fw::fleet
