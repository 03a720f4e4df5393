#include "node-agent/executor/app/packet_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace fw::executor {
namespace {

class PacketSocket : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fw-packets-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    top_ = name;
    path_ = top_ + "/run/executor.sock";
  }
  void TearDown() override { std::filesystem::remove_all(top_); }

  UniqueFd knock() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  std::string top_, path_;
};

TEST_F(PacketSocket, packets_keep_their_bounds_both_ways) {
  const auto listener = PacketListener::bind(path_, ::geteuid()).value();
  const auto client = knock();
  PacketPeer peer(std::move(listener.accept().value().value()));
  Bytes buffer(1000);
  EXPECT_FALSE(peer.receive(buffer).value());
  ASSERT_EQ(::send(client.get(), "one", 3, 0), 3);
  ASSERT_EQ(::send(client.get(), "three", 5, 0), 5);
  EXPECT_EQ(peer.receive(buffer).value()->size(), 3U);
  EXPECT_EQ(peer.receive(buffer).value()->size(), 5U);
  peer.send({1, 2});
  ASSERT_TRUE(peer.flush());
  char text[10];
  EXPECT_EQ(::recv(client.get(), text, sizeof text, 0), 2);
}

TEST_F(PacketSocket, what_breaks_the_rules_is_named) {
  const auto listener = PacketListener::bind(path_, ::geteuid()).value();
  auto client = knock();
  PacketPeer peer(std::move(listener.accept().value().value()));
  Bytes buffer(4);
  ASSERT_EQ(::send(client.get(), "12345", 5, 0), 5);
  EXPECT_EQ(peer.receive(buffer).error().code, Errc::too_large);
  // A descriptor in the baggage.
  char byte = 1;
  iovec piece{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  ASSERT_EQ(::sendmsg(client.get(), &message, 0), 1);
  EXPECT_EQ(peer.receive(buffer).error().code, Errc::malformed);
  client.reset();
  EXPECT_EQ(peer.receive(buffer).error().code, Errc::gone);
}

TEST_F(PacketSocket, a_peer_that_takes_nothing_costs_bounded_memory) {
  const auto listener = PacketListener::bind(path_, ::geteuid()).value();
  const auto client = knock();
  PacketPeer peer(std::move(listener.accept().value().value()));
  for (int i = 0; i < 1000; ++i) {
    peer.send(Bytes(100'000));
    ASSERT_TRUE(peer.flush());
  }
  EXPECT_TRUE(peer.wants_to_write());
  EXPECT_GT(peer.dropped_total(), 900U);
}

TEST_F(PacketSocket, a_folder_that_others_may_enter_is_refused) {
  ASSERT_EQ(::mkdir((top_ + "/run").c_str(), 0700), 0);
  for (const mode_t mode : {0777U, 0755U, 0711U, 0770U}) {
    ::chmod((top_ + "/run").c_str(), mode);
    EXPECT_EQ(PacketListener::bind(path_, ::geteuid()).error().code, Errc::permission) << mode;
  }
  ::chmod((top_ + "/run").c_str(), 0700);
  EXPECT_TRUE(PacketListener::bind(path_, ::geteuid()));
  std::filesystem::create_directory_symlink(top_ + "/run", top_ + "/link");
  EXPECT_EQ(PacketListener::bind(top_ + "/link/executor.sock", ::geteuid()).error().code, Errc::permission);
  EXPECT_EQ(PacketListener::bind("relative.sock", ::geteuid()).error().code, Errc::invalid_argument);
  EXPECT_EQ(PacketListener::bind("/" + std::string(200, 'a') + "/x", ::geteuid()).error().code, Errc::invalid_argument);
}

TEST_F(PacketSocket, a_peer_of_another_user_is_hung_up_on) {
  const auto listener = PacketListener::bind(path_, ::geteuid() + 1).value();
  const auto client = knock();
  EXPECT_EQ(listener.accept().error().code, Errc::permission);
  char byte;
  EXPECT_EQ(::recv(client.get(), &byte, 1, 0), 0);
  EXPECT_FALSE(listener.accept().value());
}

}  // namespace
}  // namespace fw::executor
