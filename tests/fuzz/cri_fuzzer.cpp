// Everything that a runtime may send: bytes of the connection (HTTP/2, gRPC), each message of the CRI, container logs.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "node-agent/cri/container_log.hpp"
#include "node-agent/cri/grpc_session.hpp"
#include "node-agent/cri/messages.hpp"
#include "node-agent/cri/picture.hpp"
#include "protocol/wire/text.hpp"

namespace {

using namespace fw;

struct Counting final : cri::CallHandler {
  Result<void> on_message(ByteView message) override {
    if (ended || message.size() > cri::kMaxMessageBytes) std::abort();
    return {};
  }
  void on_end(Result<void>) override {
    if (ended) std::abort();
    ended = true;
  }
  bool ended = false;
};

// A server in the middle of two calls, one of them a stream.
void connection(ByteView bytes) {
  Counting first, second;
  cri::GrpcSession session;
  if (!session.start(cri::kVersion, {}, std::chrono::milliseconds{1000}, first)) std::abort();
  if (!session.start(cri::kGetContainerEvents, {}, std::chrono::milliseconds{0}, second)) std::abort();
  const auto drain = [&] {
    for (int frames = 0; frames < 10'000; ++frames) {
      const auto frame = session.output();
      if (!frame || frame->empty()) return;
    }
    std::abort();
  };
  drain();
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), 100));
    bytes = bytes.subspan(piece.size());
    if (!session.receive(piece)) {
      if (!first.ended || !second.ended) std::abort();
      return;
    }
    drain();
  }
}

struct Checking final : cri::Listener {
  static void check(std::string_view text) {
    if (text.size() > cri::kMaxTextBytes || !wire::is_wire_text(text)) std::abort();
  }
  void describe(std::string_view id, const collectors::ContainerFacts& facts) override {
    for (const auto& text : {std::string(id), facts.container_name, facts.pod_name, facts.pod_namespace, facts.pod_uid, facts.image}) check(text);
  }
  void observe(std::string_view id, wire::Observed what, std::int64_t) override {
    for (const auto& text : {std::string(id), what.object, what.reason, what.before, what.after}) check(text);
    if (what.count == 0) std::abort();
  }
};

void messages(ByteView bytes) {
  (void)cri::decode_version(bytes);
  Checking listener;
  cri::Picture picture(listener, {});
  const auto sandboxes = cri::decode_sandboxes(bytes);
  const auto containers = cri::decode_containers(bytes);
  picture.on_list({}, {});
  if (sandboxes.has_value() && containers.has_value()) picture.on_list(*sandboxes, *containers);
  if (const auto status = cri::decode_status(bytes)) picture.on_status(*status);
  if (const auto event = cri::decode_event(bytes)) picture.on_event(*event);
}

void logs(ByteView bytes) {
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  const auto lines = cri::last_lines(cri::container_output(text, bytes.size() % 2 == 0));
  if (lines.size() > cri::kLogTextBytes || !wire::is_wire_text(lines)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  switch (data[0] % 3) {
    case 0: connection(bytes); break;
    case 1: messages(bytes); break;
    default: logs(bytes); break;
  }
  return 0;
}
