#include "node-agent/executor/app/packet_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace fw::executor {
namespace {

bool would_wait(int error_number) { return error_number == EAGAIN; }   // EWOULDBLOCK is another name of it on Linux

// The folder is ours alone, so nobody else can bind or replace the socket; nor reach it, unless the peer is another user.
Result<void> own_folder(const std::string& socket_path, bool for_others) {
  const auto folder = socket_path.substr(0, socket_path.rfind('/'));
  if (folder.empty()) return Error(Errc::invalid_argument, socket_path + ": needs a folder of its own");
  if (::mkdir(folder.c_str(), for_others ? 0711 : 0700) != 0 && errno != EEXIST) return errno_error(errno, folder);
  struct stat info{};
  if (::lstat(folder.c_str(), &info) != 0) return errno_error(errno, folder);
  if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & (for_others ? 066U : 077U)) != 0)
    return Error(Errc::permission, folder + ": must be a folder of our own user with mode " + (for_others ? "0711" : "0700"));
  return {};
}

}  // namespace

Result<PacketListener> PacketListener::bind(const std::string& path, uid_t peer_uid) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.front() != '/' || path.size() >= sizeof address.sun_path)
    return Error(Errc::invalid_argument, path + ": not an absolute path of at most 107 bytes");
  const bool for_others = peer_uid != ::geteuid();
  if (auto ok = own_folder(path, for_others); !ok) return ok.error();
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno_error(errno, "socket");
  ::unlink(path.c_str());   // of the process before us: its journal's lock is ours by now
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return errno_error(errno, path);
  if (::chmod(path.c_str(), for_others ? 0666 : 0600) != 0) return errno_error(errno, path);
  if (::listen(fd.get(), 4) != 0) return errno_error(errno, path);
  return PacketListener(std::move(fd), peer_uid);
}

Result<std::optional<UniqueFd>> PacketListener::accept() const {
  UniqueFd peer(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!peer.valid()) {
    if (would_wait(errno) || errno == EINTR || errno == ECONNABORTED) return std::optional<UniqueFd>();
    return errno_error(errno, "accept");
  }
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(peer.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return errno_error(errno, "peer");
  if (credentials.uid != peer_uid_) return Error(Errc::permission, "a process of user " + std::to_string(credentials.uid) + " knocked");
  return std::optional<UniqueFd>(std::move(peer));
}

Result<std::optional<ByteView>> PacketPeer::receive(Bytes& buffer) const {
  iovec piece{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  const auto bytes = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
  if (bytes < 0) {
    if (would_wait(errno) || errno == EINTR) return std::optional<ByteView>();
    return Error(Errc::gone, "the peer hung up");
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0) return Error(Errc::malformed, "descriptors came with a packet");
  if ((message.msg_flags & MSG_TRUNC) != 0) return Error(Errc::too_large, "a packet of more than " + std::to_string(buffer.size()) + " bytes");
  if (bytes == 0) return Error(Errc::gone, "the peer hung up");
  return std::optional<ByteView>(ByteView(buffer).first(static_cast<std::size_t>(bytes)));
}

void PacketPeer::send(Bytes packet) {
  if (waiting_.size() == kMaxWaiting) {
    dropped_total_ += 1;
    return;
  }
  waiting_.push_back(std::move(packet));
}

Result<void> PacketPeer::flush() {
  while (!waiting_.empty()) {
    iovec piece{waiting_.front().data(), waiting_.front().size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) >= 0) {
      waiting_.pop_front();
    } else if (would_wait(errno)) {
      return {};
    } else if (errno != EINTR) {
      return Error(Errc::gone, "the peer hung up");
    }
  }
  return {};
}

}  // namespace fw::executor
