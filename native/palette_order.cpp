#include "palette_order.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "dispatch.hpp"

namespace chromapress {
namespace {

constexpr std::size_t kMost = 256;  // entries
using Row = std::array<std::int16_t, kMost>;

// What an index difference costs, in 1/256 bit: about the bits that a Huffman code of differences needs.
Row difference_cost() {
  Row cost;
  for (std::size_t d = 0; d < kMost; ++d) {
    cost[d] = static_cast<std::int16_t>(std::lround(256.0 * std::log2(1.0 + static_cast<double>(d) / 4.0)));
  }
  return cost;
}

// What changes when the entries of two positions change places. `cost_a` and `cost_b` hold the costs of the distance to
// them. 16-bit factors and 32-bit sums: the counts are scaled so that these do not overflow.
CHROMAPRESS_DISPATCH std::int32_t exchange_gain(const std::int16_t* a, const std::int16_t* b,
                                                const std::int16_t* cost_a, const std::int16_t* cost_b) {
  std::int32_t sum = 0;
  for (std::size_t m = 0; m < kMost; ++m) {
    const auto count = static_cast<std::int16_t>(a[m] - b[m]);
    const auto cost = static_cast<std::int16_t>(cost_b[m] - cost_a[m]);
    sum += static_cast<std::int32_t>(count) * static_cast<std::int32_t>(cost);
  }
  return sum;
}

// The counts in the order of the positions, so that the sum above runs over memory that is contiguous.
class Arrangement {
 public:
  Arrangement(const Neighbors& neighbors, std::span<const std::uint8_t> order) : rows_(order.size()) {
    std::uint64_t most = 1;
    for (std::size_t i = 0; i < order.size(); ++i) {
      std::uint64_t sum = 0;
      for (std::size_t j = 0; j < order.size(); ++j) sum += neighbors(i, j);
      most = std::max(most, sum);
    }
    // Two rows' sums times the largest cost, 1541, stay below 2^31.
    constexpr std::uint64_t kLargestSum = 1 << 19;
    for (std::size_t i = 0; i < order.size(); ++i) {
      rows_[i].fill(0);
      for (std::size_t j = 0; j < order.size(); ++j) {
        const std::uint64_t count = neighbors(order[i], order[j]);
        const std::uint64_t scaled = most > kLargestSum ? count * kLargestSum / most : count;
        rows_[i][j] = static_cast<std::int16_t>(std::min<std::uint64_t>(scaled, 0x7fff));
      }
    }
    const Row cost = difference_cost();
    for (std::size_t d = 0; d < kMost; ++d) distance_cost_[kMost - 1 - d] = distance_cost_[kMost - 1 + d] = cost[d];
  }

  // How much the cost grows when a and b change places.
  [[nodiscard]] std::int32_t growth(std::size_t a, std::size_t b) const {
    const std::int32_t sum = exchange_gain(rows_[a].data(), rows_[b].data(), costs_to(a), costs_to(b));
    return sum + 2 * rows_[a][b] * costs_to(a)[b];
  }

  void exchange(std::size_t a, std::size_t b) {
    std::swap(rows_[a], rows_[b]);
    for (Row& row : rows_) std::swap(row[a], row[b]);
  }

 private:
  [[nodiscard]] const std::int16_t* costs_to(std::size_t position) const {
    return distance_cost_.data() + (kMost - 1 - position);
  }
  std::vector<Row> rows_;
  std::array<std::int16_t, 2 * kMost> distance_cost_{};
};

// Begins with the most frequent pair, then appends the entry that has most neighbours in the chain to the end where
// these are nearer.
std::vector<std::uint8_t> chain(const Neighbors& neighbors) {
  const std::size_t n = neighbors.size();
  std::vector<std::uint8_t> order(2 * n);
  std::size_t begin = n, end = n;  // of the chain within `order`
  std::vector<bool> placed(n, false);
  std::vector<std::uint64_t> met(n, 0);
  const auto place = [&](std::size_t entry, bool left) {
    order[left ? --begin : end++] = static_cast<std::uint8_t>(entry);
    placed[entry] = true;
    for (std::size_t j = 0; j < n; ++j) met[j] += neighbors(entry, j);
  };
  std::size_t seed = 0;
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (neighbors(i, j) > most) most = neighbors(i, j), seed = i;
    }
  }
  place(seed, false);
  while (end - begin < n) {
    std::size_t next = n;
    for (std::size_t i = 0; i < n; ++i) {
      if (!placed[i] && (next == n || met[i] > met[next])) next = i;
    }
    // Positive where the chain's left half holds more of its neighbours.
    std::int64_t lean = 0;
    for (std::size_t p = begin; p < end; ++p) {
      lean += static_cast<std::int64_t>(neighbors(next, order[p])) *
              (static_cast<std::int64_t>(begin + end - 1) - static_cast<std::int64_t>(2 * p));
    }
    place(next, lean > 0);
  }
  return {order.begin() + static_cast<std::ptrdiff_t>(begin), order.begin() + static_cast<std::ptrdiff_t>(end)};
}

// Marsaglia's xorshift: the same numbers everywhere.
class Random {
 public:
  std::size_t below(std::size_t n) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::size_t>((state_ >> 32) * n >> 32);
  }

 private:
  std::uint64_t state_ = 0x9e3779b97f4a7c15;
};

}  // namespace

Neighbors::Neighbors(std::span<const std::uint8_t> indices, std::size_t width, std::size_t size, std::size_t step)
    : size_(size), counts_(size * size, 0) {
  std::vector<std::uint32_t> directed(size * size, 0);
  const std::size_t height = width == 0 ? 0 : indices.size() / width;
  for (std::size_t y = 0; y < height; y += step) {
    const std::uint8_t* row = indices.data() + y * width;
    for (std::size_t x = 1; x < width; ++x) ++directed[row[x - 1] * size + row[x]];
    if (y == 0) continue;
    const std::uint8_t* above = row - width;
    for (std::size_t x = 0; x < width; ++x) ++directed[above[x] * size + row[x]];
  }
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < size; ++j) {
      if (i != j) counts_[i * size + j] = directed[i * size + j] + directed[j * size + i];
    }
  }
}

std::int64_t order_cost(const Neighbors& neighbors, std::span<const std::uint8_t> order) {
  const Row cost = difference_cost();
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) sum += std::int64_t{neighbors(order[i], order[j])} * cost[i - j];
  }
  return sum;
}

std::vector<std::uint8_t> palette_order(const Neighbors& neighbors, std::size_t first, std::size_t exchanges) {
  std::vector<std::uint8_t> order = chain(neighbors);
  std::stable_partition(order.begin(), order.end(), [first](std::uint8_t entry) { return entry < first; });
  std::vector<std::uint8_t> given(order.size());
  std::iota(given.begin(), given.end(), std::uint8_t{0});
  if (order_cost(neighbors, given) < order_cost(neighbors, order)) order.swap(given);
  const std::size_t n = order.size();
  if (n < 3 || exchanges == 0) return order;

  Arrangement arrangement(neighbors, order);
  Random random;
  // Two positions of one group, nearer to each other as time goes on.
  std::int64_t cost = 0, least = 0;
  std::vector<std::uint8_t> best = order;
  // The first threshold: a typical growth of the cost.
  std::int64_t typical = 0;
  constexpr std::size_t kProbes = 64;
  for (std::size_t i = 0; i < kProbes; ++i) {
    typical += std::abs(std::int64_t{arrangement.growth(random.below(n - 1), n - 1)});
  }
  typical /= kProbes;
  for (std::size_t step = 0; step < exchanges; ++step) {
    const std::size_t left = exchanges - step;
    const std::size_t a = random.below(n);
    const std::size_t low = a < first ? 0 : first, high = a < first ? first : n;
    const std::size_t reach = 2 + (n - 2) * left / exchanges;
    const std::size_t from = std::max(low, a > reach ? a - reach : 0), to = std::min(high, a + reach + 1);
    const std::size_t b = from + random.below(to - from);
    if (a == b) continue;
    const std::int64_t threshold =
        typical * static_cast<std::int64_t>(left) / static_cast<std::int64_t>(16 * exchanges);
    const std::int64_t growth = arrangement.growth(a, b);
    if (growth >= threshold) continue;
    arrangement.exchange(a, b);
    std::swap(order[a], order[b]);
    cost += growth;
    if (cost < least) least = cost, best = order;
  }
  return best;
}

}  // namespace chromapress
