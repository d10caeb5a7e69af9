// Where earlier bytes repeat (RFC 1951's LZ77): for each position and each length, the nearest repetition.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "unset_vector.hpp"

namespace chromapress {

inline constexpr std::size_t kMinMatch = 3, kMaxMatch = 258, kWindow = 32768;

struct Match {
  std::uint16_t length, distance;  // 3 to 258, 1 to 32768
};

/// The matches of consecutive positions: those of position i, longer and farther one by one.
class Matches {
 public:
  [[nodiscard]] std::span<const Match> at(std::size_t i) const {
    return {all_.data() + starts_[i], all_.data() + starts_[i + 1]};
  }
  /// Forgets all and makes room for `positions`.
  void reset(std::size_t positions);
  /// Forgets the first `positions`: position i becomes i - positions.
  void drop(std::size_t positions);
  /// Where the next position's matches go: room for kMaxMatch.
  Match* next() {
    if (all_.size() < starts_.back() + kMaxMatch) all_.resize(2 * all_.size() + kMaxMatch);
    return all_.data() + starts_.back();
  }
  /// The next position has `n`, which are there.
  void end_position(std::size_t n) { starts_.push_back(starts_.back() + static_cast<std::uint32_t>(n)); }
  /// The next position's, from elsewhere.
  void append(const Match* matches, std::size_t n) {
    std::copy(matches, matches + n, next());
    end_position(n);
  }

 private:
  std::vector<std::uint32_t> starts_ = {0};
  UnsetVector<Match> all_;
};

/// Finds matches in `data` from the front to the back, looking at no more than `depth` + 1 earlier positions for each.
/// After a match of `long_match` bytes it looks no further, nor, unless that is kMaxMatch, inside one of 192 and more.
/// The positions whose first four bytes have one hash form a binary tree, sorted by what follows, the latest at its
/// root (as in LZMA and libdeflate); for matches of three bytes only the latest position counts.
class MatchFinder {
 public:
  MatchFinder(std::span<const std::uint8_t> data, std::size_t depth, std::size_t long_match = 192);
  /// The matches of the next `count` positions, and no others.
  void find(std::size_t count, Matches& matches);
  /// The same, after those that are there.
  void append(std::size_t count, Matches& matches);

 private:
  /// Puts this position into its tree, whose root was `candidate`, and notes what it meets there.
  template <typename Note>
  void insert(std::size_t candidate, std::size_t oldest, std::size_t most, const Note& note);

  std::span<const std::uint8_t> data_;
  std::size_t depth_, long_match_, at_ = 0, skipped_ = 0;
  unsigned hash_bits_;
  std::vector<std::uint32_t> heads3_, roots_, children_;  // positions plus 1; 0 is none; at depth 1 without children
};

}  // namespace chromapress
