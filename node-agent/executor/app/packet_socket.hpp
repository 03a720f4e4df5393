// The one door: a SOCK_SEQPACKET socket in a folder of our own, one peer at a time, known by its user.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "common/bytes.hpp"
#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace fw::executor {

// Bound before the process gives up the right to make sockets. Errc::permission when the folder belongs to, or is open to, somebody else.
class PacketListener {
 public:
  static Result<PacketListener> bind(const std::string& path, uid_t peer_uid);
  int fd() const noexcept { return fd_.get(); }
  // Nothing: nobody is there any more. Errc::permission: a peer of another user, which is hung up on.
  Result<std::optional<UniqueFd>> accept() const;

 private:
  PacketListener(UniqueFd fd, uid_t peer_uid) : fd_(std::move(fd)), peer_uid_(peer_uid) {}
  UniqueFd fd_;
  uid_t peer_uid_;
};

// Never blocks. What the peer does not take waits, at most kMaxWaiting packets; more are dropped and counted: what matters is sent again.
class PacketPeer {
 public:
  static constexpr std::size_t kMaxWaiting = 64;
  explicit PacketPeer(UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const noexcept { return fd_.get(); }
  bool wants_to_write() const noexcept { return !waiting_.empty(); }
  std::uint64_t dropped_total() const noexcept { return dropped_total_; }

  // One packet into `buffer`; a view of it, or nothing when there is none now. Errc::gone: the peer hung up. Errc::too_large, Errc::malformed
  // (descriptors came with it): a peer that breaks the rules.
  Result<std::optional<ByteView>> receive(Bytes& buffer) const;
  void send(Bytes packet);
  Result<void> flush();   // Errc::gone

 private:
  UniqueFd fd_;
  std::deque<Bytes> waiting_;
  std::uint64_t dropped_total_ = 0;
};

}  // namespace fw::executor
