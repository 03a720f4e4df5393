// Giving up rights when the kernel does not take part: the program must not go on with more than it should have.
#include "node-agent/executor/app/confine.hpp"

#include <cap-ng.h>
#include <gmock/gmock.h>
#include <seccomp.h>
#include <unistd.h>

#include "tests/unit/executor/calls.hpp"

namespace fw::executor::test {
namespace {

using testing::HasSubstr;

std::string said(const Result<void>& result) { return result ? "ok" : result.error().message(); }
std::string drop(Rights rights, const std::string& call, Told told) {
  return in_child([&] {
    const FailingCall failing(call, told);
    return said(drop_capabilities(rights));
  });
}
std::string forbid(const std::string& call, Told told) {
  return in_child([&] {
    const FailingCall failing(call, told);
    return said(forbid_system_calls());
  });
}

TEST(Confine, rights_that_cannot_be_read_are_an_error) {
  EXPECT_THAT(drop(Rights::observe, "prctl", {EINVAL}), HasSubstr("no_new_privs"));
  EXPECT_THAT(drop(Rights::observe, "capng_get_caps_process", {}), HasSubstr("cannot be read"));
  EXPECT_THAT(drop(Rights::observe, "capng_get_caps_process", {.skip = 1}), HasSubstr("cannot be read"));
}

// What is asked in order: CAP_SETPCAP, then three sets for each capability.
TEST(Confine, one_right_too_many_in_any_set_is_an_error) {
  for (int set = 0; set < 3; ++set) {
    EXPECT_THAT(drop(Rights::observe, "capng_have_capability", {.result = 1, .skip = 1 + set}), HasSubstr("the right chown could not be given up")) << set;
  }
  EXPECT_EQ(drop(Rights::observe, "capng_have_capability", {.result = 0, .times = 1}), "ok") << "without CAP_SETPCAP the bounding set stays";
}

TEST(Confine, one_right_too_few_is_an_error) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: acting needs a right";
  EXPECT_THAT(drop(Rights::act, "capng_have_capability", {.result = 0}), HasSubstr("the right kill is missing: actions.observe_only is false"));
  for (int set = 0; set < 2; ++set) {
    EXPECT_THAT(drop(Rights::act, "capng_have_capability", {.result = 0, .skip = 2 + 3 * CAP_KILL + set}), HasSubstr("the right kill is missing")) << set;
  }
}

TEST(Confine, a_filter_that_is_not_whole_is_not_used) {
  EXPECT_THAT(forbid("seccomp_init", {.result = 0}), HasSubstr("no filter"));
  EXPECT_NE(forbid("seccomp_attr_set", {.result = -EINVAL}), "ok");
  EXPECT_THAT(forbid("seccomp_syscall_resolve_name", {.result = __NR_SCMP_ERROR}), HasSubstr("read is not known"));
  EXPECT_THAT(forbid("seccomp_rule_add_array", {.result = -ENOMEM}), HasSubstr("read"));
  const int listed = static_cast<int>(allowed_system_calls().size()) - 4;
  EXPECT_THAT(forbid("seccomp_rule_add_array", {.result = -ENOMEM, .skip = listed}), HasSubstr("mmap"));
  EXPECT_NE(forbid("seccomp_load", {.result = -EFAULT}), "ok");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_EQ(forbid("seccomp_rule_add_array", {.result = -EEXIST, .skip = listed}), "ok") << "a rule that is there already";
#endif
}

}  // namespace
}  // namespace fw::executor::test
