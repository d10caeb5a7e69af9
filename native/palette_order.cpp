#include "palette_order.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>

#include "color.hpp"
#include "dispatch.hpp"

namespace chromapress {
namespace {

constexpr std::size_t kLanes = 8;
using Float8 = float __attribute__((vector_size(32)));

// How often entries are neighbours, by their positions in the order; symmetric, 0 on the diagonal.
class Arrangement {
 public:
  Arrangement(std::span<const std::uint8_t> indices, std::size_t width, std::size_t k, std::size_t row_step)
      : k_(k), matrix_(kMaxColors * kMaxColors, 0.0f), order_(k) {
    std::iota(order_.begin(), order_.end(), std::uint8_t{0});
    std::vector<std::uint32_t> counts(kMaxColors * kMaxColors, 0);
    const std::size_t rows = indices.size() / width;
    for (std::size_t y = 0; y < rows; y += row_step) {
      const std::uint8_t* row = indices.data() + y * width;
      for (std::size_t x = 1; x < width; ++x) ++counts[row[x - 1] * kMaxColors + row[x]];
      if (y == 0) continue;
      const std::uint8_t* above = row - width;
      for (std::size_t x = 0; x < width; ++x) ++counts[above[x] * kMaxColors + row[x]];
    }
    for (std::size_t i = 0; i < k; ++i) {
      for (std::size_t j = 0; j < k; ++j) {
        if (i != j) at(i, j) = static_cast<float>(counts[i * kMaxColors + j] + counts[j * kMaxColors + i]);
      }
    }
    for (std::size_t d = 0; d < kMaxColors; ++d) {
      const auto bits = static_cast<float>(std::log2(1.0 + static_cast<double>(d) / 4.0));
      bits_[kMaxColors + d] = bits_[kMaxColors - d] = bits;
    }
  }

  [[nodiscard]] const std::vector<std::uint8_t>& order() const { return order_; }
  [[nodiscard]] float neighbours(std::size_t i, std::size_t j) const { return matrix_[i * kMaxColors + j]; }

  /// What swapping the entries at two positions adds to the sum of bits.
  [[nodiscard]] float swap_cost(std::size_t p, std::size_t q) const;

  void swap(std::size_t p, std::size_t q) {
    std::swap_ranges(row(p), row(p) + kMaxColors, row(q));
    for (std::size_t i = 0; i < k_; ++i) std::swap(at(i, p), at(i, q));
    std::swap(order_[p], order_[q]);
  }

  /// Puts the entries that are now at positions[i] to position i.
  void rearrange(std::span<const std::uint8_t> positions) {
    std::vector<float> matrix(matrix_.size(), 0.0f);
    std::vector<std::uint8_t> order(k_);
    for (std::size_t i = 0; i < k_; ++i) {
      order[i] = order_[positions[i]];
      for (std::size_t j = 0; j < k_; ++j) matrix[i * kMaxColors + j] = at(positions[i], positions[j]);
    }
    matrix_.swap(matrix);
    order_.swap(order);
  }

 private:
  float& at(std::size_t i, std::size_t j) { return matrix_[i * kMaxColors + j]; }
  float* row(std::size_t i) { return matrix_.data() + i * kMaxColors; }

  std::size_t k_;
  std::vector<float> matrix_;
  std::vector<std::uint8_t> order_;
  // bits_[256 + d]: what a difference of d costs. The pad of the last vector meets a zero of the matrix.
  std::array<float, 2 * kMaxColors + kLanes> bits_{};
};

// The pair itself comes out right: with the zero diagonal, its two terms are those of the distance kept and cancel.
CHROMAPRESS_DISPATCH
float Arrangement::swap_cost(std::size_t p, std::size_t q) const {
  const float *row_p = &matrix_[p * kMaxColors], *row_q = &matrix_[q * kMaxColors];
  const float *bits_p = &bits_[kMaxColors - p], *bits_q = &bits_[kMaxColors - q];
  Float8 sum{};
  for (std::size_t i = 0; i < k_; i += kLanes) {
    Float8 a, b, c, d;
    std::memcpy(&a, row_p + i, sizeof a);
    std::memcpy(&b, row_q + i, sizeof b);
    std::memcpy(&c, bits_p + i, sizeof c);
    std::memcpy(&d, bits_q + i, sizeof d);
    sum += (a - b) * (d - c);
  }
  float total = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) total += sum[lane];
  // At i = p the terms count -C(p,q) * bits(q - p), at i = q likewise: the distance between the two does not change.
  return total + 2 * row_p[q] * bits_p[q];
}

// The chain grows at the end where the entry that fits best fits better; entries from `begin` to `end`.
void chain(const Arrangement& a, std::size_t begin, std::size_t end, std::vector<std::uint8_t>& positions) {
  if (begin == end) return;
  std::vector<std::uint8_t> left, right;  // outwards from the middle
  std::vector<bool> placed(kMaxColors, false);
  std::vector<double> sum(kMaxColors), to_left(kMaxColors), to_right(kMaxColors);
  for (std::size_t i = begin; i < end; ++i) {
    for (std::size_t j = begin; j < end; ++j) sum[i] += static_cast<double>(a.neighbours(i, j));
  }
  const auto first = static_cast<std::size_t>(std::max_element(sum.begin() + static_cast<std::ptrdiff_t>(begin),
                                                               sum.begin() + static_cast<std::ptrdiff_t>(end)) -
                                              sum.begin());
  right.push_back(static_cast<std::uint8_t>(first));
  placed[first] = true;
  // The pull of either end on the others fades with the distance from it.
  constexpr double kFade = 0.85;
  for (std::size_t i = begin; i < end; ++i) to_left[i] = to_right[i] = static_cast<double>(a.neighbours(first, i));
  for (std::size_t n = begin + 1; n < end; ++n) {
    std::size_t best = end;
    for (std::size_t i = begin; i < end; ++i) {
      if (placed[i]) continue;
      if (best == end || std::max(to_left[i], to_right[i]) > std::max(to_left[best], to_right[best])) best = i;
    }
    const bool at_left = to_left[best] > to_right[best];
    (at_left ? left : right).push_back(static_cast<std::uint8_t>(best));
    placed[best] = true;
    std::vector<double>& pull = at_left ? to_left : to_right;
    for (std::size_t i = begin; i < end; ++i) {
      pull[i] = kFade * pull[i] + static_cast<double>(a.neighbours(best, i));
    }
  }
  positions.insert(positions.end(), left.rbegin(), left.rend());
  positions.insert(positions.end(), right.begin(), right.end());
}

// Swaps all pairs that gain by it; returns whether any did.
bool sweep(Arrangement& a, std::size_t begin, std::size_t end) {
  bool swapped = false;
  for (std::size_t p = begin; p < end; ++p) {
    for (std::size_t q = p + 1; q < end; ++q) {
      if (a.swap_cost(p, q) < -0.5f) {
        a.swap(p, q);
        swapped = true;
      }
    }
  }
  return swapped;
}

// xorshift64*: small, and the same everywhere.
class Random {
 public:
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return (state_ * 0x2545f4914f6cdd1dull) >> 32;
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>((next() * n) >> 32); }

 private:
  std::uint64_t state_ = 0x9e3779b97f4a7c15ull;
};

void anneal(Arrangement& a, std::size_t begin, std::size_t end, std::size_t proposals) {
  if (end - begin < 3) return;
  Random random;
  // From a temperature at which a good part of the swaps of near entries is taken, down to where none is.
  double mean = 0;
  constexpr std::size_t kSamples = 256;
  for (std::size_t i = 0; i < kSamples; ++i) {
    const std::size_t p = begin + random.below(end - begin - 1);
    mean += static_cast<double>(std::abs(a.swap_cost(p, p + 1))) / kSamples;
  }
  const double hot = 0.25 * mean, cold = hot / 200;
  double temperature = hot;
  constexpr std::size_t kStep = 64;  // proposals at one temperature
  const double cooling = std::pow(cold / hot, static_cast<double>(kStep) / static_cast<double>(proposals));
  for (std::size_t i = 0; i < proposals; ++i) {
    if (i % kStep == 0) temperature *= cooling;
    const std::size_t p = begin + random.below(end - begin);
    // Mostly near, where swaps are taken.
    const std::size_t reach = random.below(4) == 0 ? end - begin : 8;
    const std::size_t step = 1 + random.below(std::min(reach, end - begin - 1));
    const std::size_t q = p + step < end ? p + step : begin + (p + step - end);
    if (p == q) continue;
    const double cost = static_cast<double>(a.swap_cost(p, q));
    // exp(-x) >= u by -x >= ln u, bounded from below by a rational function so that no library decides.
    const double u = static_cast<double>(random.next() + 1) / 4294967296.0;
    const double x = cost / temperature;
    if (cost < 0 || 1 / (1 + x + x * x / 2 + x * x * x / 6) > u) a.swap(p, q);
  }
}

}  // namespace

std::vector<std::uint8_t> palette_order(std::span<const std::uint8_t> indices, std::size_t width, std::size_t k,
                                        std::size_t head, const OrderSearch& search) {
  Arrangement a(indices, width, k, search.row_step);
  std::vector<std::uint8_t> positions;
  chain(a, 0, head, positions);
  chain(a, head, k, positions);
  a.rearrange(positions);
  const auto sweeps = [&] {
    for (std::size_t i = 0; i < search.sweeps; ++i) {
      const bool first = sweep(a, 0, head), second = sweep(a, head, k);
      if (!first && !second) break;
    }
  };
  sweeps();
  if (search.proposals > 0) {
    anneal(a, 0, head, search.proposals * head / k);
    anneal(a, head, k, search.proposals * (k - head) / k);
    sweeps();
  }
  return a.order();
}

}  // namespace chromapress
