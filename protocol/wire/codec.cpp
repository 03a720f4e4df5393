#include "protocol/wire/codec.hpp"

#include <capnp/any.h>
#include <capnp/serialize.h>

// ZSTD_getFrameHeader is exported by the library but declared only under this name: it is how the window is learnt before memory is.
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include <cstring>
#include <new>

#include "protocol/wire/schema_io.hpp"

namespace fw::wire {
namespace {

using Words = kj::Array<capnp::word>;
constexpr std::size_t kWordBytes = sizeof(capnp::word);

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const noexcept { Free(object); }
};

// One pair per thread: they hold no state between frames, and a thousand sessions share them.
ZSTD_CCtx* compressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, Deleter<ZSTD_freeCCtx>> context(ZSTD_createCCtx());
  return context.get();
}
ZSTD_DCtx* decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, Deleter<ZSTD_freeDCtx>> context(ZSTD_createDCtx());
  return context.get();
}

Error zstd_error(std::size_t code) { return {Errc::malformed, std::string("zstd: ") + ZSTD_getErrorName(code)}; }

// Nothing is allocated before all of what the frame announces about itself was checked.
Result<void> check_zstd_frame(ByteView payload, std::size_t announced_bytes) {
  ZSTD_frameHeader header;
  const std::size_t code = ZSTD_getFrameHeader(&header, payload.data(), payload.size());
  if (ZSTD_isError(code) != 0U) return zstd_error(code);
  if (code != 0 || header.frameType != ZSTD_frame) return Error(Errc::malformed, "zstd: not a frame");
  if (header.frameContentSize != announced_bytes) return Error(Errc::malformed, "zstd: content size is not the announced one");
  if (header.windowSize > std::uint64_t{1} << limits::kZstdWindowLogMax)
    return Error(Errc::too_large, "zstd: window of " + std::to_string(header.windowSize) + " bytes");
  if (header.dictID != 0) return Error(Errc::malformed, "zstd: needs a dictionary");
  const std::size_t frame_bytes = ZSTD_findFrameCompressedSize(payload.data(), payload.size());
  if (ZSTD_isError(frame_bytes) != 0U) return zstd_error(frame_bytes);
  if (frame_bytes != payload.size()) return Error(Errc::malformed, "zstd: bytes after the frame");
  return {};
}

Result<Words> unpack(const Frame& frame) {
  const std::size_t bytes = frame.header.uncompressed_bytes;
  if (bytes % kWordBytes != 0) return Error(Errc::malformed, "message: not whole words");
  const bool compressed = (frame.header.flags & kFlagCompressed) != 0;
  if (compressed) {
    if (auto ok = check_zstd_frame(frame.payload, bytes); !ok) return ok.error();
  }
  auto words = kj::heapArray<capnp::word>(bytes / kWordBytes);
  if (!compressed) {
    std::memcpy(words.begin(), frame.payload.data(), bytes);
    return words;
  }
  const std::size_t written = ZSTD_decompressDCtx(decompressor(), words.begin(), bytes, frame.payload.data(), frame.payload.size());
  if (ZSTD_isError(written) != 0U) return zstd_error(written);
  if (written != bytes) return Error(Errc::malformed, "zstd: content is shorter than announced");
  return words;
}

// Cap'n Proto's stream form: segment count - 1 and segment sizes in words as u32, padded to a word, then the segments.
Result<std::vector<kj::ArrayPtr<const capnp::word>>> segments_of(const Words& words) {
  const auto bytes = words.asBytes();
  const auto number = [&](std::size_t index) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value |= static_cast<std::uint32_t>(bytes[index * 4 + i]) << (8 * i);
    return value;
  };
  const std::size_t count = std::size_t{number(0)} + 1;
  if (count > limits::kMaxSegments) return Error(Errc::too_large, "message: " + std::to_string(count) + " segments");
  std::size_t begin = count / 2 + 1;  // words of the table
  if (begin > words.size()) return Error(Errc::malformed, "message: cut off in its segment table");
  std::vector<kj::ArrayPtr<const capnp::word>> segments;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = number(i + 1);
    if (size > words.size() - begin) return Error(Errc::malformed, "message: segment table disagrees with the length");
    segments.push_back(words.slice(begin, begin + size));
    begin += size;
  }
  if (begin != words.size()) return Error(Errc::malformed, "message: segment table disagrees with the length");
  return segments;
}

capnp::ReaderOptions reader_options(const Words& words) {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = limits::kTraversalFactor * words.size();
  options.nestingLimit = limits::kMaxNesting;
  return options;
}

FrameKind kind_of(const Message& message) {
  if (std::holds_alternative<Samples>(message)) return FrameKind::samples;
  if (std::holds_alternative<Events>(message)) return FrameKind::events;
  return FrameKind::control;
}

// The message's bytes as a frame; compressed where that pays.
Result<Bytes> to_frame(FrameKind kind, capnp::MessageBuilder& builder) {
  const auto flat = capnp::messageToFlatArray(builder);
  const auto bytes = flat.asBytes();
  if (bytes.size() > limits::kMaxUncompressedBytes)
    return Error(Errc::too_large, "message: " + std::to_string(bytes.size()) + " bytes uncompressed");
  FrameHeader header;
  header.kind = kind;
  header.uncompressed_bytes = static_cast<std::uint32_t>(bytes.size());

  Bytes out(limits::kFrameHeaderBytes);
  if (kind != FrameKind::control) {
    out.resize(limits::kFrameHeaderBytes + ZSTD_compressBound(bytes.size()));
    const std::size_t written = ZSTD_compressCCtx(compressor(), out.data() + limits::kFrameHeaderBytes,
                                                  out.size() - limits::kFrameHeaderBytes, bytes.begin(), bytes.size(), limits::kZstdLevel);
    if (ZSTD_isError(written) != 0U) return Error(Errc::io, std::string("zstd: ") + ZSTD_getErrorName(written));
    if (written < bytes.size()) {
      header.flags = kFlagCompressed;
      out.resize(limits::kFrameHeaderBytes + written);
    }
  }
  if ((header.flags & kFlagCompressed) == 0) {
    out.resize(limits::kFrameHeaderBytes);
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  header.wire_bytes = static_cast<std::uint32_t>(out.size() - limits::kFrameHeaderBytes);
  if (header.wire_bytes > limits::kMaxFrameBytes)
    return Error(Errc::too_large, "message: " + std::to_string(header.wire_bytes) + " bytes on the wire");
  header.payload_crc32c = crc32c(ByteView(out).subspan(limits::kFrameHeaderBytes));
  const auto encoded = encode_header(header);
  std::copy(encoded.begin(), encoded.end(), out.begin());
  return out;
}

}  // namespace

struct Codec::Impl {
  SampleEncoder encoder;
  SampleDecoder decoder;

  Result<Bytes> encode(const Message& message) {
    if (auto ok = check(message); !ok) return ok.error();
    capnp::MallocMessageBuilder builder;
    if (const auto* samples = std::get_if<Samples>(&message)) {
      auto delta = encoder.encode(*samples);
      if (!delta) return delta.error();
      write(*delta, builder.initRoot<schema::Samples>());
    } else if (const auto* events = std::get_if<Events>(&message)) {
      write(*events, builder.initRoot<schema::Events>());
    } else {
      write(message, builder.initRoot<schema::Control>());
    }
    auto frame = to_frame(kind_of(message), builder);
    if (const auto* samples = std::get_if<Samples>(&message); samples != nullptr && frame && !samples->self_contained)
      encoder.commit(*samples);
    return frame;
  }

  Result<Message> read_root(FrameKind kind, capnp::MessageReader& reader) {
    switch (kind) {
      case FrameKind::control: return read(reader.getRoot<schema::Control>());
      case FrameKind::events: {
        auto events = read(reader.getRoot<schema::Events>());
        if (!events) return events.error();
        return Message(std::move(*events));
      }
      case FrameKind::samples: {
        auto delta = read(reader.getRoot<schema::Samples>());
        if (!delta) return delta.error();
        auto samples = decoder.decode(std::move(*delta));
        if (!samples) return samples.error();
        return Message(std::move(*samples));
      }
      case FrameKind::unknown: break;
    }
    return Error(Errc::unsupported, "frame: unknown kind");
  }

  Result<Message> decode(const Frame& frame) {
    auto words = unpack(frame);
    if (!words) return words.error();
    auto segments = segments_of(*words);
    if (!segments) return segments.error();
    const kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> view(segments->data(), segments->size());
    // The whole message is walked once, also what no field of ours points to: too deep, cyclic or overlapping ends here.
    capnp::SegmentArrayMessageReader(view, reader_options(*words)).getRoot<capnp::AnyPointer>().targetSize();
    capnp::SegmentArrayMessageReader reader(view, reader_options(*words));
    auto message = read_root(frame.header.kind, reader);
    if (!message) return message.error();
    if (auto ok = check(*message); !ok) return ok.error();
    return message;
  }
};

Codec::Codec() : impl_(std::make_unique<Impl>()) {}
Codec::~Codec() = default;
Codec::Codec(Codec&&) noexcept = default;
Codec& Codec::operator=(Codec&&) noexcept = default;

Result<Bytes> Codec::encode(const Message& message) {
  try {
    return impl_->encode(message);
  } catch (const kj::Exception& error) {
    return Error(Errc::io, std::string("message: ") + error.getDescription().cStr());
  }
}

Result<Message> Codec::decode(const Frame& frame) {
  try {
    return impl_->decode(frame);
  } catch (const kj::Exception& error) {  // a pointer out of its segment, the traversal or nesting limit
    return Error(Errc::malformed, std::string("message: ") + error.getDescription().cStr());
  }
}

}  // namespace fw::wire
