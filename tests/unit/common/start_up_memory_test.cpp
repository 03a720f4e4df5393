#include "common/start_up_memory.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <memory>

namespace fw {
namespace {

struct Free {
  void operator()(void* block) const { std::free(block); }
};
using Block = std::unique_ptr<void, Free>;

constexpr std::size_t kMib = 1024 * 1024;

TEST(StartUpMemory, AfterAHugeBlockALargeOneIsStillAMappingOfItsOwn) {
  if (mallinfo2().arena == 0) GTEST_SKIP() << "the allocator is a sanitizer's, not glibc's";
  keep_heap_small();
  Block(std::malloc(12 * kMib)).reset();
  const auto before = mallinfo2();
  const Block large(std::malloc(kMib));
  EXPECT_EQ(mallinfo2().hblks, before.hblks + 1);
  EXPECT_EQ(mallinfo2().arena, before.arena);
}

const char* const volatile kText = "still as in the file";

TEST(StartUpMemory, CodeAndWrittenDataAreUnchangedAfterGivingBack) {
  static int written = 0;
  written = 7;
  give_back_start_up_memory();
  EXPECT_EQ(written, 7);
  EXPECT_STREQ(kText, "still as in the file");
}

}  // namespace
}  // namespace fw
