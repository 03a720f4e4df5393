// Message <-> frame bytes. The only way in and out of Cap'n Proto and zstd.
#pragma once
#include <memory>

#include "protocol/wire/frame.hpp"
#include "protocol/wire/messages.hpp"
#include "protocol/wire/sample_codec.hpp"

namespace fw::wire {

// The rules that both ends hold every message to: lengths, counts, UTF-8, enum ranges, ids that ascend and refer to something. encode()
// refuses what decode() would refuse, so a mistake is found where it is made. Errc::malformed or Errc::too_large; the context names
// the field: "events: event 3: oom_kill: top_processes: 9 entries, at most 8".
Result<void> check(const Message& message);

// One connection's codec: both directions, with the sample state of each. A new connection needs a new Codec.
// Threading: one executor. Blocking: CPU only, well below 1 ms for a tick of 500 containers. Memory: the sample state; zstd contexts are
// one per thread, not per connection.
class Codec {
 public:
  Codec();
  ~Codec();
  Codec(Codec&&) noexcept;
  Codec& operator=(Codec&&) noexcept;

  // A whole frame, header included. Samples with self_contained = false become the difference to the previous tick that this Codec
  // encoded, so such frames must be sent in the order in which they were encoded, and all of them; an error leaves the state as it was.
  // Samples with self_contained = true neither use nor change that state: they may be stored, reordered and dropped.
  Result<Bytes> encode(const Message& message);

  // The message of one frame. Samples come back absolute. After an error the connection must end: the sample state is undefined.
  Result<Message> decode(const Frame& frame);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fw::wire
