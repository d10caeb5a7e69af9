#include "parallel.hpp"

#include <pthread.h>
#include <sched.h>

#include <exception>
#include <utility>

namespace chromapress {
namespace {

// Returns when the value is another. Mostly it soon is, and sleeping would take longer; when it takes a while, other
// programs' threads go first.
void await_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  constexpr int kReads = 20'000, kTurns = 1000;
  for (int i = 0; i < kReads + kTurns; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    if (i >= kReads) std::this_thread::yield();
  }
  value.wait(old, std::memory_order_acquire);
}

// Linux often puts a new thread behind the one that starts it, on the same processor, where it waits for milliseconds
// though another is idle. Forbidden that one for a moment, it moves.
void send_elsewhere(std::jthread& thread) {
  cpu_set_t allowed;
  const int own = sched_getcpu();
  if (own < 0 || pthread_getaffinity_np(thread.native_handle(), sizeof allowed, &allowed) != 0) return;
  cpu_set_t others = allowed;
  CPU_CLR(static_cast<unsigned>(own), &others);
  if (CPU_COUNT(&others) == 0) return;
  pthread_setaffinity_np(thread.native_handle(), sizeof others, &others);
  pthread_setaffinity_np(thread.native_handle(), sizeof allowed, &allowed);
}

}  // namespace

// A thread that comes late finds no part left, and does not touch the work, which may be gone.
struct Team::Job {
  const Work* work;
  std::size_t parts;
  Shares shares;
  std::atomic<std::uint32_t> done{0};
  std::mutex mutex{};
  std::size_t failed = 0;  // the part that threw `error`
  std::exception_ptr error{};

  Job(const Work* work_, std::size_t parts_, std::size_t threads)
      : work(work_), parts(parts_), shares(parts_, threads) {}

  void help(std::size_t own) {
    std::uint32_t mine = 0;
    shares(own, [&](std::size_t part) {
      try {
        (*work)(part);
      } catch (...) {
        const std::scoped_lock lock(mutex);
        if (!error || part < failed) {
          failed = part;
          error = std::current_exception();
        }
      }
      ++mine;
    });
    if (mine > 0 && done.fetch_add(mine, std::memory_order_acq_rel) + mine == parts) done.notify_all();
  }

  void wait() const {
    for (std::uint32_t now = done.load(std::memory_order_acquire); now < parts;
         now = done.load(std::memory_order_acquire)) {
      await_change(done, now);
    }
  }
};

Team::Team(std::size_t threads) {
  others_.reserve(threads);
  try {
    while (size() < threads) {
      others_.emplace_back([this, own = size()] { serve(own); });
      send_elsewhere(others_.back());
    }
  } catch (const std::exception&) {  // std::system_error or std::bad_alloc
  }
}

Team::~Team() { post(nullptr); }

void Team::post(std::shared_ptr<Job> job) {
  {
    const std::scoped_lock lock(mutex_);
    job_ = std::move(job);
    posted_.fetch_add(1, std::memory_order_release);
  }
  posted_.notify_all();
}

void Team::serve(std::size_t own) {
  for (std::uint32_t seen = 0;;) {
    await_change(posted_, seen);
    std::shared_ptr<Job> job;
    {
      const std::scoped_lock lock(mutex_);
      seen = posted_.load(std::memory_order_relaxed);
      job = job_;
    }
    if (!job) return;
    job->help(own);
  }
}

void Team::operator()(std::size_t parts, const Work& work) {
  const auto job = others_.empty() || parts <= 1 ? nullptr : std::make_shared<Job>(&work, parts, size());
  if (!job || is_busy_.exchange(true)) {
    for (std::size_t part = 0; part < parts; ++part) work(part);
    return;
  }
  post(job);
  job->help(0);
  job->wait();
  is_busy_ = false;
  if (job->error) std::rethrow_exception(job->error);
}

}  // namespace chromapress
