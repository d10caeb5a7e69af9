#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>

#include "check.hpp"
#include "palette_order.hpp"

using namespace chromapress;

namespace {

double bits(const std::vector<std::uint8_t>& indices, std::size_t width, const std::vector<std::uint8_t>& order) {
  std::vector<double> position(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) position[order[i]] = static_cast<double>(i);
  double sum = 0;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const double p = position[indices[i]];
    if (i % width > 0) sum += std::log2(1 + std::abs(p - position[indices[i - 1]]) / 4);
    if (i >= width) sum += std::log2(1 + std::abs(p - position[indices[i - width]]) / 4);
  }
  return sum;
}

}  // namespace

int main() {
  std::mt19937 random(3);
  for (const std::size_t k : {1u, 2u, 3u, 9u, 100u, 256u}) {
    for (const std::size_t head : {std::size_t{0}, k / 3, k}) {
      // A walk over shuffled entries, so that a good order exists and is not the one given.
      std::vector<std::uint8_t> shuffled(k);
      for (std::size_t i = 0; i < k; ++i) shuffled[i] = static_cast<std::uint8_t>(i);
      std::shuffle(shuffled.begin(), shuffled.end(), random);
      std::vector<std::uint8_t> indices;
      std::size_t at = 0;
      for (int i = 0; i < 60 * 40; ++i) {
        at = (at + k + random() % 5 - 2) % k;
        indices.push_back(shuffled[at]);
      }
      std::vector<std::uint8_t> identity(k);
      for (std::size_t i = 0; i < k; ++i) identity[i] = static_cast<std::uint8_t>(i);
      const Neighbors neighbors(indices, 60, k, 1);
      double last = bits(indices, 60, identity);
      for (const std::size_t exchanges : {0u, 5'000u, 100'000u}) {
        const std::vector<std::uint8_t> order = palette_order(neighbors, head, exchanges);
        std::vector<std::uint8_t> sorted = order;
        std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(head));
        std::sort(sorted.begin() + static_cast<std::ptrdiff_t>(head), sorted.end());
        CHECK(sorted == identity);
        const double now = bits(indices, 60, order);
        CHECK(now <= last * 1.001);
        CHECK(std::abs(static_cast<double>(order_cost(neighbors, order)) / 256 - now) < 0.01 * now + 1);
        if (exchanges == 0) last = now;  // what exchanges start from
      }
    }
  }
}
