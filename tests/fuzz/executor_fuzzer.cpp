// A hostile agent: any packets, one after the other, to an executor that may act. It refuses, answers or ends; it never acts, because nobody
// here can sign for this journal. Input: u16 length and packet, repeated.
#include <cstdlib>

#include "protocol/authority/executor.hpp"
#include "tests/support/authority_builder.hpp"
#include "tests/support/fake_actuator.hpp"
#include "tests/support/manual_clock.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw;
  using namespace fw::authority;
  static const Bytes kPolicy = to_bytes(authority::test::team_policy());
  fw::test::FakeDisk disk;
  fw::test::ManualClock clock(authority::test::kNowMs * kNsPerMs);
  fw::test::FakeActuator world;
  world.cgroup("/shop/checkout").values = {{Probe::memory_limit_bytes, 100}, {Probe::frozen, 1}};
  ExecutorConfig config;
  config.node = authority::test::node_uid();
  config.boot = authority::test::boot_uid();
  config.observe_only = false;
  config.first_policy = kPolicy;
  config.first_policy_digest = sha256(kPolicy);
  auto executor = Executor::open(config, {disk, clock, world});
  if (!executor) std::abort();
  (void)(*executor)->on_connected();
  ByteView rest(data, size);
  while (rest.size() >= 2) {
    const std::size_t length = std::min<std::size_t>(static_cast<std::size_t>(rest[0] << 8U | rest[1]), rest.size() - 2);
    const auto answer = (*executor)->on_packet(rest.subspan(2, length));
    rest = rest.subspan(2 + length);
    if (!answer) break;   // the program ends
    for (const auto& packet : *answer) {
      if (!parse_packet(packet)) std::abort();
    }
    clock.advance(std::chrono::milliseconds(300));
    (void)(*executor)->on_timer();
  }
  // A plan of class 0 needs nobody's signature; of any other nothing may have been done.
  for (const auto& [nonce, done] : world.done) {
    if (done.applied > 0 && world.objects.at("/shop/checkout").values.at(Probe::memory_limit_bytes) != 100) std::abort();
  }
  if (world.objects.at("/shop/checkout").values.at(Probe::frozen) != 1) std::abort();
  return 0;
}
