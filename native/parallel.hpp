// Work in a fixed number of parts, shared out over a few threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace chromapress {

/// With fewer, sharing them out costs more than it takes off.
inline constexpr std::size_t kPixelsPerPart = 65536;

inline constexpr std::size_t kMostThreads = 256;

/// The number of threads that is meant, at most `kMostThreads`: 0 is as many as the processor has.
inline std::size_t thread_count(std::size_t threads) {
  return std::clamp<std::size_t>(threads != 0 ? threads : std::thread::hardware_concurrency(), 1, kMostThreads);
}

/// Parts of which each thread takes its own share first, then what others have left: of one piece of work after the
/// other it gets the same parts, mostly, and what it read or wrote before is still in its own caches, which may be far
/// from the others'.
class Shares {
 public:
  Shares(std::size_t parts, std::size_t threads) : shares_(threads) {
    for (std::size_t i = 0; i < threads; ++i) {
      shares_[i].next = parts * i / threads;
      shares_[i].end = parts * (i + 1) / threads;
    }
  }

  /// visit(part) for each part that is left for thread `own`. Each part is visited once, whatever the thread.
  template <typename Visit>
  void operator()(std::size_t own, Visit visit) {
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      Share& share = shares_[(own + i) % shares_.size()];
      for (std::size_t part = share.next++; part < share.end; part = share.next++) visit(part);
    }
  }

 private:
  struct alignas(64) Share {  // a cache line each
    std::atomic<std::size_t> next{0};
    std::size_t end = 0;
  };
  std::vector<Share> shares_;
};

/// Threads that share out one piece of work after the other. Those beside the caller's are started once, and stay awake
/// for a moment between two pieces: waking one takes longer than many pieces do.
class Team {
 public:
  /// `threads`, the caller's among them, or fewer where no more can be started.
  explicit Team(std::size_t threads);
  ~Team();

  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  [[nodiscard]] std::size_t size() const { return others_.size() + 1; }

  using Work = std::function<void(std::size_t)>;

  /// Calls work(part) for each part below `parts`, each thread of its own share first. What a part throws is thrown
  /// here, the lowest part's, after all have ended. Where the team is at work already, the caller works alone.
  void operator()(std::size_t parts, const Work& work);

 private:
  struct Job;

  void serve(std::size_t own);
  void post(std::shared_ptr<Job> job);

  std::mutex mutex_;
  std::shared_ptr<Job> job_;              // null: the threads end
  std::atomic<std::uint32_t> posted_{0};  // jobs
  std::atomic<bool> is_busy_{false};
  std::vector<std::jthread> others_;
};

}  // namespace chromapress
