#include "parallel.hpp"

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

}  // namespace

// A thread that comes late finds no part left, and does not touch the work, which may be gone.
struct Team::Job {
  const Work* work;
  std::size_t parts;
  std::atomic<std::size_t> next{0};
  std::atomic<std::uint32_t> done{0};
  std::mutex mutex{};
  std::size_t failed = 0;  // the part that threw `error`
  std::exception_ptr error{};

  Job(const Work* work_, std::size_t parts_) : work(work_), parts(parts_) {}

  void help() {
    for (std::size_t part = next.fetch_add(1); part < parts; part = next.fetch_add(1)) {
      try {
        (*work)(part);
      } catch (...) {
        const std::scoped_lock lock(mutex);
        if (!error || part < failed) {
          failed = part;
          error = std::current_exception();
        }
      }
      if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == parts) done.notify_all();
    }
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
    while (others_.size() + 1 < threads) others_.emplace_back([this] { serve(); });
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

void Team::serve() {
  for (std::uint32_t seen = 0;;) {
    await_change(posted_, seen);
    std::shared_ptr<Job> job;
    {
      const std::scoped_lock lock(mutex_);
      seen = posted_.load(std::memory_order_relaxed);
      job = job_;
    }
    if (!job) return;
    job->help();
  }
}

void Team::operator()(std::size_t parts, const Work& work) {
  const auto job = others_.empty() || parts <= 1 ? nullptr : std::make_shared<Job>(&work, parts);
  if (!job || is_busy_.exchange(true)) {
    for (std::size_t part = 0; part < parts; ++part) work(part);
    return;
  }
  post(job);
  job->help();
  job->wait();
  is_busy_ = false;
  if (job->error) std::rethrow_exception(job->error);
}

}  // namespace chromapress
