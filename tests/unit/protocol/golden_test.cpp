// The wire bytes of every message are kept in tests/golden/wire: what a released version wrote is read for ever, and a change of what we
// write is seen. FW_REGENERATE_GOLDEN=1 writes the files anew; a released file is never changed, a new one is added.
#include <gtest/gtest.h>
#include <zstd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "protocol/wire/codec.hpp"

namespace fw::wire {
namespace {

struct Golden {
  const char* file;
  std::vector<Message> messages;   // one connection, in order
};

Uuid uuid(std::uint8_t first) {
  Uuid out;
  for (std::uint8_t i = 0; i < 16; ++i) out.bytes[i] = static_cast<std::uint8_t>(first + i);
  return out;
}

EntityEntry node() { return {1, EntityKind::node, 0, 0, "/", "node-a", "", "", "", ""}; }
EntityEntry pod() { return {2, EntityKind::pod, 1, 4711, "/kubepods/burstable/pod1", "checkout-7d9f", "", "", "9a1b2c3d-0000-4000-8000-000000000001", "burstable"}; }
EntityEntry container() {
  return {3, EntityKind::container, 2, 4712, "/kubepods/burstable/pod1/c", "checkout", "containerd", std::string(64, 'c'),
          "9a1b2c3d-0000-4000-8000-000000000001", "burstable"};
}

ProcessInfo process() { return {4242, 1, "worker", 67'108'864, 5'000'000'000, true}; }

Samples tick(std::uint64_t number, std::vector<std::int64_t> bytes) {
  Samples s;
  s.tick = number;
  s.time_ns = 1'790'000'000'000'000'000 + static_cast<std::int64_t>(number) * 1'000'000'000;
  s.columns = {{1, {2, 3}, std::move(bytes)}, {2, {3}, {100'000 * static_cast<std::int64_t>(number)}}};
  return s;
}

Samples with_dictionary(Samples s) {
  s.entities = {node(), pod(), container()};
  s.metrics = {{1, "memory_current_bytes", "bytes", MetricKind::gauge}, {2, "cpu_usage_us", "us", MetricKind::counter}};
  return s;
}

std::vector<Golden> goldens() {
  auto shrunk = tick(3, {});
  shrunk.columns = {{2, {3}, {350'000}}};
  shrunk.removed_entity_ids = {2};
  auto block = with_dictionary(tick(9, {70'000'000, 60'000'000}));
  block.self_contained = true;

  Events events;
  events.seq = 17;
  events.entities = {node(), pod(), container()};
  OomKill kill{process(), OomConstraint::memcg, FactSource::bpf, -999, 67'108'864, 67'104'768, "/kubepods/burstable/pod1/c", 4243, "worker", 1, {process()}};
  kill.top_processes.front().container_main = false;
  kill.top_processes.front().rss_bytes.reset();
  kill.top_processes.front().age_ns.reset();
  ProcessInfo sender;
  sender.pid = 1;
  sender.comm = "systemd";
  events.events = {{3, 1'790'000'000'000'000'001, kill},
                   {3, 1'790'000'000'000'000'002, ProcessExit{process(), 0, 9, true}},
                   {3, 1'790'000'000'000'000'003, ProcessSignal{process(), 15, false, sender, 1000, 77}},
                   {3, 1'790'000'000'000'000'004, LimitChanged{"memory.max", -1, 67'108'864}},
                   {0, 1'790'000'000'000'000'005, Lost{"ring", 12}},
                   {3, 1'790'000'000'000'000'006, {}}};

  return {
      {"hello", {Hello{"0.1.0", "node-a", uuid(1), uuid(101), 5, 16, 1'790'000'000'000'000'000, 123'456'789, "6.1.0-test", "v2", {"BPF: permission denied"}}}},
      {"welcome", {Welcome{uuid(51), 16, 10'000, 1'000, 1'790'000'000'000'000'000}}},
      {"ack", {Ack{17}}},
      {"ping", {Ping{3}}},
      {"pong", {Pong{3, 1'790'000'000'000'000'000}}},
      {"goodbye", {Goodbye{"stopping"}}},
      {"slow", {Slow{2'500}}},
      {"focus", {Focus{{4711, 4712}, 60'000}}},
      {"executor", {ExecutorPacket{{'F', 'L', 'X', '1', 7, 0, 255}}}},
      {"samples", {with_dictionary(tick(1, {70'000'000, 60'000'000})), tick(2, {70'004'096, 60'000'000}), shrunk}},
      {"samples-self-contained", {block}},
      {"events", {events}},
  };
}

// v1: as it was before the names of containers and Observed came (2026-11); read for ever, no longer written. v2: what is written now.
std::string path_of(const char* version, const char* name) {
  return std::string(FW_SOURCE_DIR) + "/tests/golden/wire/" + version + "/" + name + ".frames";
}

std::vector<Golden> goldens_now() {
  auto all = goldens();
  Events events;
  events.seq = 18;
  events.entities = {node(), pod(), container()};
  events.entities.back().container_name = "checkout";
  events.entities.back().pod_name = "checkout-7d9f";
  events.entities.back().pod_namespace = "shop";
  events.entities.back().image = "registry/checkout:1.4";
  EntityEntry root;
  root.id = 9;
  root.kind = EntityKind::filesystem;
  root.parent_id = node().id;
  root.cgroup_id = key_of(EntityKind::filesystem, 0xfd00);
  root.name = "/var";
  events.entities.push_back(root);
  events.events = {{3, 1'790'000'000'000'000'001, Observed{.what = "connect_failed", .object = "10.0.0.7:5432", .reason = "ECONNREFUSED", .count = 3}},
                   {9, 1'790'000'000'000'000'002, Observed{.what = "filesystem_read_only", .object = "/var", .before = "rw", .after = "ro", .text = "x"}}};
  all.push_back({"observed", {events}});
  all.push_back({"probe", {Probe{7, "log_tail", "checkout-7d9f/app", {{"lines", "50"}}, 20'000}}});
  all.push_back({"probe-result", {ProbeResult{7, ProbeStatus::done, R"({"kind":"log_tail","rows":[]})"}}});
  return all;
}

Bytes read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

// zstd may write other bytes in another version; what it holds may not differ.
Bytes uncompressed(const Frame& frame) {
  if ((frame.header.flags & kFlagCompressed) == 0) return Bytes(frame.payload.begin(), frame.payload.end());
  Bytes out(frame.header.uncompressed_bytes);
  EXPECT_EQ(ZSTD_decompress(out.data(), out.size(), frame.payload.data(), frame.payload.size()), out.size());
  return out;
}

class GoldenWire : public testing::TestWithParam<Golden> {};
std::string test_name(const testing::TestParamInfo<Golden>& golden) {
  std::string name = golden.param.file;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(V2, GoldenWire, testing::ValuesIn(goldens_now()), test_name);

class EarlierWire : public testing::TestWithParam<Golden> {};
INSTANTIATE_TEST_SUITE_P(V1, EarlierWire, testing::ValuesIn(goldens()), test_name);

TEST_P(EarlierWire, is_read_as_it_was_meant) {
  Codec reader;
  FrameReader frames;
  const auto kept = read_file(path_of("v1", GetParam().file));
  ASSERT_FALSE(kept.empty());
  frames.push(kept);
  for (const auto& expected : GetParam().messages) {
    const auto frame = frames.next();
    ASSERT_TRUE(frame) << frame.error().message();
    ASSERT_TRUE(frame->has_value());
    const auto message = reader.decode(**frame);
    ASSERT_TRUE(message) << message.error().message();
    EXPECT_EQ(*message, expected);
  }
  EXPECT_EQ(frames.buffered_bytes(), 0U);
}

TEST_P(GoldenWire, is_what_we_write_and_what_we_read) {
  Codec writer, reader;
  Bytes written;
  std::vector<Bytes> contents;
  for (const auto& message : GetParam().messages) {
    const auto frame = writer.encode(message);
    ASSERT_TRUE(frame) << frame.error().message();
    contents.push_back(uncompressed(parse_frame(*frame).value()));
    written.insert(written.end(), frame->begin(), frame->end());
  }
  const auto path = path_of("v2", GetParam().file);
  if (std::getenv("FW_REGENERATE_GOLDEN") != nullptr)
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(written.data()), static_cast<std::streamsize>(written.size()));

  FrameReader frames;
  const auto kept = read_file(path);
  ASSERT_FALSE(kept.empty()) << path;
  frames.push(kept);
  for (std::size_t i = 0; i < GetParam().messages.size(); ++i) {
    const auto frame = frames.next();
    ASSERT_TRUE(frame) << frame.error().message();
    ASSERT_TRUE(frame->has_value());
    EXPECT_EQ(uncompressed(**frame), contents[i]) << "we write frame " << i << " in another way";
    const auto message = reader.decode(**frame);
    ASSERT_TRUE(message) << message.error().message();
    EXPECT_EQ(*message, GetParam().messages[i]);
  }
  EXPECT_EQ(frames.buffered_bytes(), 0U);
}

}  // namespace
}  // namespace fw::wire
