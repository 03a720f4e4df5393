// Every limit of the wire protocol, in one place. Going over one ends that session with a named error and a metric, and
// touches no other session.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/units.hpp"

namespace fw::limits {

inline constexpr std::size_t kFrameHeaderBytes = 32;
inline constexpr std::size_t kMaxFrameBytes = 1_MiB;              // on the wire, without the header
inline constexpr std::size_t kMaxUncompressedBytes = 8_MiB;       // of one frame; checked before allocation
inline constexpr int kZstdWindowLogMax = 23;                      // 8 MiB: never a window larger than the output limit
inline constexpr int kZstdLevel = 1;                              // higher levels buy nothing on this data (docs/adr)
inline constexpr int kMaxNesting = 16;                            // Cap'n Proto pointers
inline constexpr std::size_t kMaxSegments = 64;                   // of one message
inline constexpr std::size_t kTraversalFactor = 2;                // traversal limit = factor * words of the frame

inline constexpr std::size_t kMaxEntitiesPerNode = 20'000;
inline constexpr std::size_t kMaxMetricsPerNode = 512;
inline constexpr std::size_t kMaxValuesPerSamples = 1'000'000;    // of one tick, changed or not: bounds the state of a connection
inline constexpr std::size_t kMaxLabelBytes = 4_KiB;              // any one text field
inline constexpr std::size_t kMaxLacking = 64;                    // Hello::lacking
inline constexpr std::size_t kMaxEventsPerFrame = 1'000;
inline constexpr std::size_t kMaxObservedWordBytes = 40;          // Observed::what
inline constexpr std::size_t kMaxObservedTextBytes = 1_KiB;       // Observed::text
inline constexpr std::size_t kMaxTopProcesses = 8;                // in one oom_kill event
inline constexpr std::size_t kMaxExecutorPacketBytes = 160_KiB;
inline constexpr std::size_t kMaxProbeKindBytes = 40;
inline constexpr std::size_t kMaxProbeArguments = 8;
inline constexpr std::size_t kMaxProbeValueBytes = 512;           // of one argument
inline constexpr std::size_t kMaxProbeResultBytes = 128_KiB;      // of its text
inline constexpr std::chrono::milliseconds kMaxProbeTime{60'000};
inline constexpr std::size_t kMaxProbesWaiting = 16;              // of one session, at the aggregator
inline constexpr std::int64_t kMaxWallNs = 4'102'444'800'000'000'000;   // 2100-01-01: sums and differences of two wall times fit 64 bits
inline constexpr std::uint32_t kMaxEventsPerSecondPerNode = 2'000;  // token bucket, burst = 5 s
inline constexpr std::size_t kMaxSessionsPerAggregator = 10'000;
inline constexpr std::size_t kMaxUnackedEventFrames = 64;         // the agent waits for Ack beyond this

inline constexpr std::chrono::seconds kHandshakeTimeout{5};       // TLS and Hello/Welcome together
inline constexpr std::chrono::seconds kIdleTimeout{30};           // nothing received at all
inline constexpr std::chrono::seconds kPingPeriod{10};
inline constexpr std::chrono::seconds kWriteTimeout{10};          // a slow peer is cut off

}  // namespace fw::limits
