#include "row_filter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace chromapress {
namespace {

constexpr std::size_t kTypes = 5;

std::uint8_t paeth(int left, int up, int corner) {
  const int to_left = std::abs(up - corner), to_up = std::abs(left - corner),
            to_corner = std::abs(left + up - 2 * corner);
  return static_cast<std::uint8_t>(to_left <= to_up && to_left <= to_corner ? left : to_up <= to_corner ? up : corner);
}

void filter_row(std::size_t type, const std::uint8_t* row, const std::uint8_t* above, std::size_t n,
                std::uint8_t* out) {
  const auto minus = [](int value, int prediction) { return static_cast<std::uint8_t>(value - prediction); };
  switch (type) {
    case 0:
      std::copy_n(row, n, out);
      break;
    case 1:
      out[0] = row[0];
      for (std::size_t i = 1; i < n; ++i) out[i] = minus(row[i], row[i - 1]);
      break;
    case 2:
      for (std::size_t i = 0; i < n; ++i) out[i] = minus(row[i], above[i]);
      break;
    case 3:
      out[0] = minus(row[0], above[0] / 2);
      for (std::size_t i = 1; i < n; ++i) out[i] = minus(row[i], (row[i - 1] + above[i]) / 2);
      break;
    default:
      out[0] = minus(row[0], above[0]);
      for (std::size_t i = 1; i < n; ++i) out[i] = minus(row[i], paeth(row[i - 1], above[i], above[i - 1]));
  }
}

std::uint64_t sum_of_differences(std::span<const std::uint8_t> bytes) {
  std::uint64_t sum = 0;
  for (const std::uint8_t v : bytes) sum += v < 128 ? v : 256u - v;
  return sum;
}

// n * log2(n) in units of 1/64 bit, for the counts of a row: the entropy is the same constant less the sum of these.
class EntropyCost {
 public:
  explicit EntropyCost(std::size_t row_bytes) : information_(row_bytes + 1) {
    for (std::size_t n = 1; n <= row_bytes; ++n) {
      information_[n] = static_cast<std::uint64_t>(64 * static_cast<double>(n) * std::log2(static_cast<double>(n)));
    }
  }

  std::uint64_t operator()(std::span<const std::uint8_t> bytes) const {
    // Four tables, so that equal neighbours do not wait for each other.
    std::array<std::array<std::uint32_t, 256>, 4> counts{};
    for (std::size_t i = 0; i < bytes.size(); ++i) ++counts[i % 4][bytes[i]];
    std::uint64_t information = 0;
    for (std::size_t v = 0; v < 256; ++v) {
      information += information_[counts[0][v] + counts[1][v] + counts[2][v] + counts[3][v]];
    }
    return information_.back() - information;
  }

 private:
  std::vector<std::uint64_t> information_;
};

template <typename Cost>
void filter_by_cost(std::span<const std::uint8_t> rows, std::size_t n, const Cost& cost,
                    std::vector<std::uint8_t>& out) {
  const std::vector<std::uint8_t> zeros(n, 0);
  std::vector<std::uint8_t> trial(n);
  for (std::size_t at = 0, to = 0; at < rows.size(); at += n, to += n + 1) {
    const std::uint8_t* row = rows.data() + at;
    const std::uint8_t* above = at > 0 ? row - n : zeros.data();
    std::uint64_t least = UINT64_MAX;
    for (std::size_t type = 0; type < kTypes; ++type) {
      filter_row(type, row, above, n, trial.data());
      const std::uint64_t c = cost(trial);
      if (c >= least) continue;
      least = c;
      out[to] = static_cast<std::uint8_t>(type);
      std::copy(trial.begin(), trial.end(), out.begin() + static_cast<std::ptrdiff_t>(to) + 1);
    }
  }
}

}  // namespace

std::vector<std::uint8_t> filter_rows(std::span<const std::uint8_t> rows, std::size_t row_bytes, RowFilter filter) {
  std::vector<std::uint8_t> out(rows.size() + rows.size() / row_bytes);
  if (filter == RowFilter::minimum_sum) {
    filter_by_cost(rows, row_bytes, sum_of_differences, out);
  } else if (filter == RowFilter::entropy) {
    filter_by_cost(rows, row_bytes, EntropyCost(row_bytes), out);
  } else {
    const std::vector<std::uint8_t> zeros(row_bytes, 0);
    for (std::size_t at = 0, to = 0; at < rows.size(); at += row_bytes, to += row_bytes + 1) {
      const std::uint8_t* row = rows.data() + at;
      out[to] = static_cast<std::uint8_t>(filter);
      filter_row(out[to], row, at > 0 ? row - row_bytes : zeros.data(), row_bytes, out.data() + to + 1);
    }
  }
  return out;
}

}  // namespace chromapress
