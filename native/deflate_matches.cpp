#include "deflate_matches.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace chromapress {
namespace {

// Who is content with long matches takes one of this length whole; the positions inside it are not looked at.
constexpr std::size_t kSkippedMatch = 192;

std::uint32_t load(const std::uint8_t* p) {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

std::uint32_t hash(std::uint32_t v, unsigned bits) { return (v * 0x9e3779b1u) >> (32 - bits); }

// Up to 15, so that the tables stay in the second-level cache; fewer for short data, which would not pay for zeroing
// them.
unsigned hash_bits(std::size_t size) { return std::clamp(static_cast<unsigned>(std::bit_width(size)), 8u, 15u); }

std::size_t common_length(const std::uint8_t* a, const std::uint8_t* b, std::size_t most) {
  std::size_t n = 0;
  if constexpr (std::endian::native == std::endian::little) {
    for (; n + 8 <= most; n += 8) {
      std::uint64_t x, y;
      std::memcpy(&x, a + n, 8);
      std::memcpy(&y, b + n, 8);
      if (x != y) return n + static_cast<std::size_t>(std::countr_zero(x ^ y)) / 8;
    }
  }
  while (n < most && a[n] == b[n]) ++n;
  return n;
}

}  // namespace

void Matches::reset(std::size_t positions) {
  starts_.clear();
  starts_.reserve(positions + 1);
  starts_.push_back(0);
  all_.resize(std::max(all_.size(), 2 * positions));
}

MatchFinder::MatchFinder(std::span<const std::uint8_t> data, std::size_t depth, std::size_t long_match)
    : data_(data),
      depth_(depth),
      long_match_(long_match),
      hash_bits_(hash_bits(data.size())),
      heads3_(std::size_t{1} << hash_bits_, 0),
      roots_(std::size_t{1} << hash_bits_, 0),
      children_(depth == 1 ? 0 : 2 * std::min(kWindow, data.size()), 0) {}

void Matches::drop(std::size_t positions) {
  const std::uint32_t gone = starts_[positions];
  std::copy(all_.begin() + gone, all_.begin() + starts_.back(), all_.begin());
  starts_.erase(starts_.begin(), starts_.begin() + static_cast<std::ptrdiff_t>(positions));
  for (std::uint32_t& start : starts_) start -= gone;
}

template <typename Note>
void MatchFinder::insert(std::size_t candidate, std::size_t oldest, std::size_t most, const Note& note) {
  const std::uint8_t* here = data_.data() + at_;
  // The tree is split at this position, which becomes its root: what is smaller goes left, what is larger right.
  std::uint32_t* left = &children_[2 * (at_ % kWindow)];
  std::uint32_t* right = left + 1;
  std::size_t left_length = 0, right_length = 0;
  for (std::size_t step = 0;; ++step) {
    if (candidate <= oldest || step == depth_) {
      *left = *right = 0;
      return;
    }
    const std::uint8_t* there = data_.data() + candidate - 1;
    const std::size_t known = std::min(left_length, right_length);
    const std::size_t length = known + common_length(there + known, here + known, most - known);
    note(candidate - 1, length);
    std::uint32_t* children = &children_[2 * ((candidate - 1) % kWindow)];
    if (length == most || length >= long_match_) {
      *left = children[0];
      *right = children[1];
      return;
    }
    if (there[length] < here[length]) {
      *left = static_cast<std::uint32_t>(candidate);
      left = children + 1;
      candidate = *left;
      left_length = length;
    } else {
      *right = static_cast<std::uint32_t>(candidate);
      right = children;
      candidate = *right;
      right_length = length;
    }
  }
}

void MatchFinder::find(std::size_t count, Matches& matches) {
  matches.reset(count);
  append(count, matches);
}

void MatchFinder::append(std::size_t count, Matches& matches) {
  for (const std::size_t end = at_ + count; at_ < end; ++at_) {
    const std::size_t most = std::min(kMaxMatch, data_.size() - at_);
    if (most < 4) {
      matches.end_position(0);
      continue;
    }
    const std::uint8_t* here = data_.data() + at_;
    const std::size_t oldest = at_ > kWindow - 1 ? at_ - (kWindow - 1) : 0;
    Match* const found = matches.next();
    std::size_t n = 0, longest = kMinMatch - 1;
    const auto note = [&](std::size_t position, std::size_t length) {
      if (length <= longest) return;
      longest = length;
      found[n++] = {static_cast<std::uint16_t>(length), static_cast<std::uint16_t>(at_ - position)};
    };
    const std::uint32_t four = load(here), now = static_cast<std::uint32_t>(at_ + 1);
    std::uint32_t& head3 =
        heads3_[hash(four << 8, hash_bits_)];  // on a big-endian machine other bytes: fewer matches, no error
    if (head3 > oldest) note(head3 - 1, common_length(data_.data() + head3 - 1, here, std::min<std::size_t>(most, 8)));
    head3 = now;

    std::uint32_t& root = roots_[hash(four, hash_bits_)];
    const std::size_t latest = root;
    root = now;
    if (depth_ != 1) {
      insert(latest, oldest, most, note);
    } else if (latest > oldest) {
      note(latest - 1, common_length(data_.data() + latest - 1, here, most));
    }
    if (skipped_ > 0) {
      --skipped_;
      n = 0;
    } else if (long_match_ < kMaxMatch && longest >= std::max(long_match_, kSkippedMatch)) {
      skipped_ = longest - 1;
    }
    matches.end_position(n);
  }
}

}  // namespace chromapress
