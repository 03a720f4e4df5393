#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "aggregator/cli/files.hpp"
#include "aggregator/cli/signing/bytes_text.hpp"
#include "aggregator/cli/signing/key_text.hpp"
#include "aggregator/cli/signing/signer.hpp"
#include "aggregator/cli/signing/ssh_agent.hpp"
#include "aggregator/cli/signing/ssh_wire.hpp"
#include "common/unique_fd.hpp"
#include "protocol/authority/documents.hpp"
#include "protocol/authority/ssh_signing.hpp"
#include "tests/support/authority_builder.hpp"

namespace fw::cli {
namespace {

namespace fs = std::filesystem;
namespace at = authority::test;
using authority::Algorithm;
using authority::PublicKey;

TEST(Base64, has_one_text_for_one_value) {
  for (const std::string_view text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    const auto encoded = encode_base64(bytes_of(text));
    const auto decoded = decode_base64(encoded);
    ASSERT_TRUE(decoded) << encoded;
    EXPECT_EQ(text_of(*decoded), text);
  }
  EXPECT_EQ(encode_base64(bytes_of("foobar")), "Zm9vYmFy");
  for (const std::string_view text : {"Zg", "Zg=", "Zh==", "Zm9=", "Zg== ", "Z===", "====", "Zm9v\n", "Zm9vZg==Zg=="}) {
    EXPECT_FALSE(decode_base64(text)) << text;
  }
}

TEST(KeyText, reads_back_every_kind_as_it_is_printed) {
  for (const auto* name : {"alice", "erin"}) {
    const auto key = at::public_key_of(name);
    const auto parsed = parse_key_text(key_text(key) + " a comment");
    ASSERT_TRUE(parsed) << key_text(key);
    EXPECT_EQ(*parsed, key);
    EXPECT_EQ(*key_of_ssh_blob(ssh_blob_of(key)), key);
  }
  EXPECT_EQ(at::public_key_of("erin").algorithm, Algorithm::sk_ed25519);
  const auto alice = at::public_key_of("alice");
  EXPECT_EQ(*parse_key_text("ssh-ed25519 " + encode_base64(ssh_blob_of(alice)) + " alice@laptop"), alice);
}

TEST(KeyText, refuses_what_is_no_key_that_can_sign) {
  const auto erin = at::public_key_of("erin");
  Bytes rsa;
  ssh::put_string(rsa, "ssh-rsa");
  ssh::put_string(rsa, "AQAB");
  for (const auto& text : {std::string(), std::string("ed25519:"), std::string("ed25519:AAAA"), std::string("hello"), "ssh-ed25519 " + encode_base64(erin.bytes),
                           "ssh-rsa " + encode_base64(rsa), std::string("sk-ssh-ed25519@openssh.com !!!!")}) {
    EXPECT_FALSE(parse_key_text(text)) << text;
  }
  auto longer = erin.bytes;
  longer.push_back(0);
  EXPECT_FALSE(key_of_ssh_blob(longer));
}

class Keys : public ::testing::Test {
 protected:
  Keys() {
    std::string name = ::testing::TempDir() + "fw-keys-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~Keys() override { fs::remove_all(folder_); }
  std::string folder_;
};

TEST_F(Keys, a_new_key_is_secret_signs_and_is_never_overwritten) {
  const auto path = folder_ + "/alice.sign.key";
  const auto key = make_key_file(path, "alice");
  ASSERT_TRUE(key) << key.error().message();
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_EQ(*parse_key_text(*read_file(folder_ + "/alice.sign.pub", kMaxConfigBytes)), *key);
  EXPECT_EQ(make_key_file(path, "alice").error().code, Errc::conflict);

  const auto signer = file_signer(path);
  ASSERT_TRUE(signer) << signer.error().message();
  const Bytes document{1, 2, 3};
  const auto signature = (*signer)->sign(authority::Domain::approval, document);
  ASSERT_TRUE(signature);
  EXPECT_EQ(signature->key, authority::key_id(*key));
  EXPECT_TRUE(authority::verify_signature(*key, authority::signing_input(authority::Domain::approval, document), signature->bytes));
}

TEST_F(Keys, a_key_that_others_can_read_is_refused) {
  const auto path = folder_ + "/alice.sign.key";
  ASSERT_TRUE(make_key_file(path, ""));
  ::chmod(path.c_str(), 0640);
  EXPECT_EQ(file_signer(path).error().code, Errc::permission);
  EXPECT_FALSE(file_signer(folder_ + "/none.key"));
}

// Answers one connection of an agent: the list, then signatures. `tamper` changes what it answers.
class FakeAgent {
 public:
  using Tamper = std::function<void(Bytes& message)>;
  FakeAgent(const std::string& path, std::vector<std::string> names, Tamper tamper = {}) : names_(std::move(names)), tamper_(std::move(tamper)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), std::begin(address.sun_path));
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeAgent() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

 private:
  void serve() {
    const UniqueFd peer(::accept(listener_.get(), nullptr, nullptr));
    if (!peer.valid()) return;
    for (;;) {
      Bytes head(4);
      if (::recv(peer.get(), head.data(), head.size(), MSG_WAITALL) != 4) return;
      Bytes request(*ssh::Reader(head).number());
      if (::recv(peer.get(), request.data(), request.size(), MSG_WAITALL) != static_cast<ssize_t>(request.size())) return;
      auto message = request.front() == 11 ? identities() : signature(request);
      if (tamper_) tamper_(message);
      Bytes framed;
      ssh::put_string(framed, message);
      if (::send(peer.get(), framed.data(), framed.size(), MSG_NOSIGNAL) < 0) return;
    }
  }
  Bytes identities() const {
    Bytes out{12};
    ssh::put_number(out, static_cast<std::uint32_t>(names_.size()));
    for (const auto& name : names_) {
      ssh::put_string(out, ssh_blob_of(at::public_key_of(name)));
      ssh::put_string(out, name + "@laptop");
    }
    return out;
  }
  Bytes signature(const Bytes& request) const {
    ssh::Reader reader(request);
    reader.byte();
    const auto blob = *reader.string();
    const auto data = *reader.string();
    for (const auto& name : names_) {
      const auto key = at::public_key_of(name);
      if (ssh_blob_of(key) != Bytes(blob.begin(), blob.end())) continue;
      Bytes inner;
      if (key.algorithm == Algorithm::ed25519) {
        ssh::put_string(inner, "ssh-ed25519");
        ssh::put_string(inner, at::key_of(name).sign(data));
      } else {   // PROTOCOL.u2f: application, flags, counter, message, each hashed or fixed
        const auto application = authority::sha256(bytes_of("ssh:"));
        const auto hash = authority::sha256(data);
        Bytes signed_bytes(application.begin(), application.end());
        signed_bytes.push_back(1);
        ssh::put_number(signed_bytes, 7);
        signed_bytes.insert(signed_bytes.end(), hash.begin(), hash.end());
        ssh::put_string(inner, "sk-ssh-ed25519@openssh.com");
        ssh::put_string(inner, at::key_of(name).sign(signed_bytes));
        ssh::put_byte(inner, 1);
        ssh::put_number(inner, 7);
      }
      Bytes out{14};
      ssh::put_string(out, inner);
      return out;
    }
    return {5};
  }

  std::vector<std::string> names_;
  Tamper tamper_;
  UniqueFd listener_;
  std::thread thread_;
};

TEST_F(Keys, an_agents_keys_sign_plain_ones_raw_and_security_keys_wrapped) {
  for (const std::string name : {"alice", "erin"}) {
    const auto path = folder_ + "/" + name;
    FakeAgent agent(path, {"alice", "erin"});
    auto signer = agent_signer(path, name, {});
    ASSERT_TRUE(signer) << signer.error().message();
    EXPECT_EQ((*signer)->where(), "SSH agent (" + name + "@laptop)");
    const auto document = authority::to_bytes(at::approval(at::plan(), name));
    const auto signature = (*signer)->sign(authority::Domain::approval, document);
    ASSERT_TRUE(signature) << signature.error().message();
    EXPECT_EQ(signature->algorithm, name == "erin" ? Algorithm::sk_ed25519 : Algorithm::ed25519);
    EXPECT_TRUE(authority::verify_signature(at::public_key_of(name), authority::signing_input(authority::Domain::approval, document), signature->bytes));
  }
}

TEST_F(Keys, of_several_keys_the_one_that_counts_is_taken_or_named) {
  const auto code = [&](const std::string& wanted, const std::vector<PublicKey>& listed) {
    static int number = 0;
    const auto path = folder_ + "/agent-" + std::to_string(++number);
    FakeAgent agent(path, {"alice", "bob"});
    const auto signer = agent_signer(path, wanted, listed);
    return signer ? (*signer)->where() : std::string(signer.error().code == Errc::conflict ? "several" : "none");
  };
  EXPECT_EQ(code("", {}), "several");
  EXPECT_EQ(code("", {at::public_key_of("bob")}), "SSH agent (bob@laptop)");
  EXPECT_EQ(code("", {at::public_key_of("carol")}), "none");
  EXPECT_EQ(code("alice@", {}), "SSH agent (alice@laptop)");
  EXPECT_EQ(code(short_key_id(at::public_key_of("bob")), {}), "SSH agent (bob@laptop)");
  EXPECT_EQ(code("dave", {}), "none");
}

TEST_F(Keys, what_an_agent_makes_up_is_not_passed_on) {
  const auto path = folder_ + "/agent";
  FakeAgent agent(path, {"alice"}, [](Bytes& message) {
    if (message.front() == 14) message.back() ^= 1U;
  });
  auto signer = agent_signer(path, "", {});
  ASSERT_TRUE(signer);
  EXPECT_EQ((*signer)->sign(bytes_of("text")).error().code, Errc::permission);
}

TEST(SshAgent, answers_that_end_early_or_late_are_refused_and_foreign_keys_skipped) {
  Bytes good{12};
  ssh::put_number(good, 2);
  ssh::put_string(good, ssh_blob_of(at::public_key_of("alice")));
  ssh::put_string(good, "alice");
  Bytes rsa;
  ssh::put_string(rsa, "ssh-rsa");
  ssh::put_string(good, rsa);
  ssh::put_string(good, "old");
  const auto list = ssh::parse_identities(good);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 1U);
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(ssh::parse_identities(ByteView(good).first(size))) << size;
  good.push_back(0);
  EXPECT_FALSE(ssh::parse_identities(good));
  EXPECT_FALSE(ssh::parse_identities(Bytes{12, 0xFF, 0xFF, 0xFF, 0xFF}));
  EXPECT_EQ(ssh::parse_signature(Bytes{5}).error().code, Errc::permission);
  EXPECT_FALSE(ssh::parse_signature(Bytes{14, 0, 0, 0, 9, 1}));
  EXPECT_FALSE(ssh::signature_of_blob(at::public_key_of("alice"), bytes_of("junk")));
}

}  // namespace
}  // namespace fw::cli
