#include "common/unique_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace fw {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(UniqueFd, move_assignment_closes_the_old_descriptor) {
  UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  UniqueFd second(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int old_fd = first.get();
  const int new_fd = second.get();
  first = std::move(second);
  EXPECT_FALSE(is_open(old_fd));
  EXPECT_TRUE(is_open(new_fd));
  EXPECT_EQ(first.get(), new_fd);
}

TEST(UniqueFd, closes_at_the_end_of_its_scope_and_not_after_release) {
  int closed = -1;
  int kept = -1;
  {
    UniqueFd a(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    UniqueFd b(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    closed = a.get();
    kept = b.release();
  }
  EXPECT_FALSE(is_open(closed));
  EXPECT_TRUE(is_open(kept));
  ::close(kept);
}

}  // namespace
}  // namespace fw
