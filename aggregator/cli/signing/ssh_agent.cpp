#include "aggregator/cli/signing/ssh_agent.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "aggregator/cli/signing/bytes_text.hpp"
#include "aggregator/cli/signing/key_text.hpp"
#include "aggregator/cli/signing/ssh_wire.hpp"
#include "protocol/authority/ssh_signing.hpp"

namespace fw::cli::ssh {
namespace {

using authority::Algorithm;
using authority::PublicKey;

// Message numbers of the protocol.
constexpr std::uint8_t kFailure = 5, kRequestIdentities = 11, kIdentitiesAnswer = 12, kSignRequest = 13, kSignResponse = 14;
constexpr std::uint32_t kMaxIdentities = 256;
constexpr std::size_t kEd25519SignatureBytes = 64;

Error malformed(std::string_view why) { return {Errc::malformed, "SSH agent: " + std::string(why)}; }

using Deadline = std::chrono::steady_clock::time_point;

Result<void> wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd item{fd, events, 0};
    const int ready = left.count() > 0 ? ::poll(&item, 1, static_cast<int>(left.count())) : 0;
    if (ready > 0) return {};
    if (ready == 0) return Error(Errc::timeout, "SSH agent: no answer in time");
    if (errno != EINTR) return errno_error(errno, "SSH agent");
  }
}

Result<void> send_all(int fd, ByteView bytes, Deadline deadline) {
  while (!bytes.empty()) {
    if (const auto ready = wait_for(fd, POLLOUT, deadline); !ready) return ready.error();
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (sent < 0) return errno_error(errno, "SSH agent");
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<Bytes> receive(int fd, std::size_t size, Deadline deadline) {
  Bytes out(size);
  for (std::size_t have = 0; have < size;) {
    if (const auto ready = wait_for(fd, POLLIN, deadline); !ready) return ready.error();
    const auto got = ::recv(fd, out.data() + have, size - have, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return errno_error(errno, "SSH agent");
    if (got == 0) return Error(Errc::gone, "SSH agent: it closed the connection");
    have += static_cast<std::size_t>(got);
  }
  return out;
}

}  // namespace

Bytes identities_request() { return {kRequestIdentities}; }

Bytes sign_request(const PublicKey& key, ByteView data) {
  Bytes out{kSignRequest};
  put_string(out, ssh_blob_of(key));
  put_string(out, data);
  put_number(out, 0);  // flags are for RSA
  return out;
}

Result<std::vector<Identity>> parse_identities(ByteView message) {
  Reader reader(message);
  if (reader.byte() != kIdentitiesAnswer) return malformed("it does not list its keys");
  const auto count = reader.number();
  if (!count || *count > kMaxIdentities) return malformed("too many keys");
  std::vector<Identity> out;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto blob = reader.string();
    const auto comment = reader.text();
    if (!blob || !comment) return malformed("its list of keys ends early");
    if (auto key = key_of_ssh_blob(*blob)) out.push_back({std::move(*key), std::string(*comment)});
  }
  if (!reader.at_end()) return malformed("there is something after its list of keys");
  return out;
}

Result<Bytes> parse_signature(ByteView message) {
  Reader reader(message);
  const auto kind = reader.byte();
  if (kind == kFailure) return Error(Errc::permission, "SSH agent: it refused to sign; is the key still there, was it touched?");
  const auto blob = reader.string();
  if (kind != kSignResponse || !blob || !reader.at_end()) return malformed("not an answer to a signature");
  return Bytes(blob->begin(), blob->end());
}

Result<Bytes> signature_of_blob(const PublicKey& key, ByteView blob) {
  if (key.algorithm != Algorithm::ed25519) return authority::ssh_signature_blob(key, blob);
  Reader reader(blob);
  const auto kind = reader.text();
  const auto raw = reader.string();
  if (kind != "ssh-ed25519" || !raw || raw->size() != kEd25519SignatureBytes || !reader.at_end()) {
    return malformed("not an ssh-ed25519 signature");
  }
  return Bytes(raw->begin(), raw->end());
}

Result<Agent> Agent::connect(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof(address.sun_path)) return Error(Errc::too_large, "SSH agent: its path is too long");
  std::copy(socket_path.begin(), socket_path.end(), std::begin(address.sun_path));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno_error(errno, "SSH agent");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return errno_error(errno, "SSH agent at " + socket_path);
  }
  return Agent(std::move(fd));
}

Result<Bytes> Agent::ask(ByteView message, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  Bytes framed;
  put_string(framed, message);
  if (const auto sent = send_all(socket_.get(), framed, deadline); !sent) return sent.error();
  const auto head = receive(socket_.get(), sizeof(std::uint32_t), deadline);
  if (!head) return head.error();
  const auto size = *Reader(*head).number();
  if (size == 0 || size > kMaxAgentMessageBytes) return malformed("a message of an impossible size");
  return receive(socket_.get(), size, deadline);
}

Result<std::vector<Identity>> Agent::identities() {
  const auto answer = ask(identities_request(), kAnswerTime);
  if (!answer) return answer.error();
  return parse_identities(*answer);
}

Result<Bytes> Agent::sign(const PublicKey& key, ByteView message) {
  const bool plain = key.algorithm == Algorithm::ed25519;
  const auto data = plain ? Bytes(message.begin(), message.end()) : authority::ssh_signed_data(message);
  const auto answer = ask(sign_request(key, data), plain ? kAnswerTime : kTouchTime);
  if (!answer) return answer.error();
  const auto blob = parse_signature(*answer);
  if (!blob) return blob.error();
  return signature_of_blob(key, *blob);
}

}  // namespace fw::cli::ssh
