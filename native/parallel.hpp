// Work in a fixed number of parts, shared out over a few threads.
#pragma once

#include <algorithm>
#include <exception>
#include <thread>
#include <vector>

namespace chromapress {

/// With fewer pixels each, threads cost more than they take off.
inline constexpr std::size_t kPixelsPerThread = 65536;

/// The number of threads that is meant: 0 is as many as the processor has.
inline std::size_t thread_count(std::size_t threads) {
  return threads != 0 ? threads : std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

/// Calls work(part) for each part below `parts`, part p in thread p % threads, the first of which is the caller's. What
/// a part throws is thrown here, the lowest part's first, when all threads have ended.
template <typename Work>
void in_parallel(std::size_t parts, std::size_t threads, Work work) {
  threads = std::min(threads, parts);
  if (threads <= 1) {
    for (std::size_t part = 0; part < parts; ++part) work(part);
    return;
  }
  std::vector<std::exception_ptr> errors(parts);
  const auto run = [&](std::size_t thread) {
    for (std::size_t part = thread; part < parts; part += threads) {
      try {
        work(part);
      } catch (...) {
        errors[part] = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> others;  // joined at the end, also where one cannot be started
    for (std::size_t thread = 1; thread < threads; ++thread) others.emplace_back(run, thread);
    run(0);
  }
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace chromapress
