#include "common/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace fw {
namespace {

TEST(Error, context_reads_from_outside_to_inside) {
  Error error(Errc::malformed, "some: bad number 'x'");
  error = with_context(with_context(std::move(error), "memory.pressure"), "read cgroup");
  EXPECT_EQ(error.message(), "read cgroup: memory.pressure: some: bad number 'x'");
  EXPECT_EQ(error.code, Errc::malformed);
}

TEST(Error, system_errors_map_to_what_a_caller_can_act_on) {
  EXPECT_EQ(errno_error(ENOENT, "x").code, Errc::gone);
  EXPECT_EQ(errno_error(ENODEV, "x").code, Errc::gone);
  EXPECT_EQ(errno_error(EACCES, "x").code, Errc::permission);
  EXPECT_EQ(errno_error(EIO, "x").code, Errc::io);
  EXPECT_EQ(errno_error(EIO, "read memory.max").message(), "read memory.max: Input/output error");
}

TEST(Result, value_of_an_error_throws_its_text) {
  const Result<int> result = Error(Errc::timeout, "connect");
  try {
    result.value();
    FAIL() << "value() did not throw";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), Errc::timeout);
    EXPECT_NE(std::string(e.what()).find("connect"), std::string::npos);
  }
}

}  // namespace
}  // namespace fw
