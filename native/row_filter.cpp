#include "row_filter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "deflate.hpp"
#include "dispatch.hpp"

namespace chromapress {
namespace {

constexpr std::size_t kTypes = 5;
using Bytes = const std::uint8_t*;

[[gnu::always_inline]] inline int paeth(int left, int up, int corner) {
  const int to_left = std::abs(up - corner), to_up = std::abs(left - corner),
            to_corner = std::abs(left + up - 2 * corner);
  return to_left <= to_up && to_left <= to_corner ? left : to_up <= to_corner ? up : corner;
}

// The first pixel has nothing to its left; the other bytes are independent of each other, which the compiler
// vectorises.
CHROMAPRESS_DISPATCH void filter_row(std::size_t type, Bytes row, Bytes above, std::size_t n, std::size_t step,
                                     std::uint8_t* out) {
  for (std::size_t i = 0; i < std::min(step, n); ++i) {
    const int first_prediction[kTypes] = {0, 0, above[i], above[i] / 2, above[i]};
    out[i] = static_cast<std::uint8_t>(row[i] - first_prediction[type]);
  }
  if (type == 0) {
    for (std::size_t i = step; i < n; ++i) out[i] = row[i];
  }
  if (type == 1) {
    for (std::size_t i = step; i < n; ++i) out[i] = static_cast<std::uint8_t>(row[i] - row[i - step]);
  }
  if (type == 2) {
    for (std::size_t i = step; i < n; ++i) out[i] = static_cast<std::uint8_t>(row[i] - above[i]);
  }
  if (type == 3) {
    for (std::size_t i = step; i < n; ++i) {
      out[i] = static_cast<std::uint8_t>(row[i] - (row[i - step] + above[i]) / 2);
    }
  }
  if (type == 4) {
    for (std::size_t i = step; i < n; ++i) {
      out[i] = static_cast<std::uint8_t>(row[i] - paeth(row[i - step], above[i], above[i - step]));
    }
  }
}

CHROMAPRESS_DISPATCH std::uint64_t sum_of_differences(Bytes row, std::size_t n) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<std::uint8_t>(std::min<int>(row[i], 256 - row[i]));
  return sum;
}

// n log2 n in 1/65536 bit, whose sum is the entropy up to what all rows have in common. Whole numbers: the same choice
// on every processor.
class Entropy {
 public:
  explicit Entropy(std::size_t n) : counted_(n + 1, 0) {
    for (std::size_t c = 2; c <= n; ++c) {
      const auto count = static_cast<double>(c);
      counted_[c] = static_cast<std::uint64_t>(std::lround(65536.0 * count * std::log2(count)));
    }
  }
  [[nodiscard]] std::uint64_t of(Bytes row, std::size_t n) const {
    std::array<std::uint32_t, 256> counts{};
    for (std::size_t i = 0; i < n; ++i) ++counts[row[i]];
    std::uint64_t sum = 0;
    for (const std::uint32_t c : counts) sum += counted_[c];
    return counted_[n] - sum;
  }
  /// What a count is worth.
  [[nodiscard]] std::uint64_t operator()(std::size_t count) const { return counted_[count]; }

 private:
  std::vector<std::uint64_t> counted_;
};

// Of pairs of neighbouring bytes.
class Pairs {
 public:
  explicit Pairs(bool are_counted) : counts_(are_counted ? std::size_t{1} << 16 : 0, 0) {}
  std::uint64_t distinct(Bytes row, std::size_t n) {
    std::uint64_t seen = 0;
    for_each(row, n, [&](std::uint32_t& count) { seen += count++ == 0 ? 1 : 0; });
    for_each(row, n, [](std::uint32_t& count) { count = 0; });
    return seen;
  }
  std::uint64_t entropy(Bytes row, std::size_t n, const Entropy& entropy) {
    for_each(row, n, [](std::uint32_t& count) { ++count; });
    std::uint64_t sum = 0;
    for_each(row, n, [&](std::uint32_t& count) {
      sum += entropy(count);
      count = 0;
    });
    return entropy(n) - sum;
  }

 private:
  template <typename Visit>
  void for_each(Bytes row, std::size_t n, Visit visit) {
    for (std::size_t i = 1; i < n; ++i) visit(counts_[std::size_t{row[i - 1]} << 8 | row[i]]);
  }
  std::vector<std::uint32_t> counts_;
};

}  // namespace

std::vector<std::uint8_t> filter_rows(std::span<const std::uint8_t> packed, std::size_t row_bytes, Filtering filtering,
                                      std::size_t pixel_bytes) {
  const std::size_t height = packed.size() / row_bytes;
  std::vector<std::uint8_t> result((row_bytes + 1) * height), trial(row_bytes + 1), best;
  constexpr std::size_t kRowsBefore = 4;
  const std::vector<std::uint8_t> zeros(row_bytes, 0);
  const Entropy entropy(filtering >= Filtering::least_entropy ? row_bytes : 0);
  Pairs pairs(filtering == Filtering::fewest_pairs || filtering == Filtering::pair_entropy);
  const auto score = [&](std::size_t y) -> std::uint64_t {
    switch (filtering) {
      case Filtering::least_entropy:
        return entropy.of(trial.data() + 1, row_bytes);
      case Filtering::fewest_pairs:
        return pairs.distinct(trial.data() + 1, row_bytes);
      case Filtering::pair_entropy:
        return pairs.entropy(trial.data() + 1, row_bytes, entropy);
      case Filtering::shortest: {
        const std::size_t begin = y > kRowsBefore ? y - kRowsBefore : 0;
        std::uint8_t* rows = result.data() + begin * (row_bytes + 1);
        std::copy(trial.begin(), trial.end(), result.data() + y * (row_bytes + 1));
        return deflate({rows, (y + 1 - begin) * (row_bytes + 1)}, 1).size();
      }
      default:
        return sum_of_differences(trial.data() + 1, row_bytes);
    }
  };
  for (std::size_t y = 0; y < height; ++y) {
    const Bytes row = packed.data() + y * row_bytes, above = y > 0 ? row - row_bytes : zeros.data();
    std::uint8_t* out = result.data() + y * (row_bytes + 1);
    if (filtering <= Filtering::paeth) {
      out[0] = static_cast<std::uint8_t>(filtering);
      filter_row(out[0], row, above, row_bytes, pixel_bytes, out + 1);
      continue;
    }
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    for (std::size_t type = 0; type < kTypes; ++type) {
      trial[0] = static_cast<std::uint8_t>(type);
      filter_row(type, row, above, row_bytes, pixel_bytes, trial.data() + 1);
      const std::uint64_t cost = score(y);
      if (cost >= least) continue;
      least = cost;
      best = trial;
    }
    std::copy(best.begin(), best.end(), out);
  }
  return result;
}

}  // namespace chromapress
