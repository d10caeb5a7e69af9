#include <cmath>
#include <limits>
#include <stdexcept>

#include "check.hpp"
#include "kmeans.hpp"
#include "sample.hpp"

using namespace chromapress;

namespace {

// Lloyd's algorithm as it is defined, over opaque colours.
std::vector<Point> lloyd(const Histogram& h, std::vector<Point> centres, int iterations) {
  for (int it = 0; it < iterations; ++it) {
    std::vector<Point> sums(centres.size());
    std::vector<double> weights(centres.size());
    for (std::size_t i = 0; i < h.colors.size(); ++i) {
      const Point x = premultiply(h.colors[i]);
      std::size_t best = 0;
      for (std::size_t j = 1; j < centres.size(); ++j) {
        if (squared_distance(x, centres[j]) < squared_distance(x, centres[best])) best = j;
      }
      const auto w = static_cast<double>(h.counts[i]);
      weights[best] += w;
      for (std::size_t d = 0; d < 4; ++d) sums[best][d] += w * x[d];
    }
    for (std::size_t j = 0; j < centres.size(); ++j) {
      CHECK(weights[j] > 0);
      for (std::size_t d = 0; d < 4; ++d) centres[j][d] = sums[j][d] / weights[j];
    }
  }
  return centres;
}

}  // namespace

int main() {
  const auto data = sample::image(80, 60, 3, 5);
  const Histogram h = histogram(sample::pixels(data, 80, 3));
  const HistogramView view{h.colors, h.counts};
  for (const std::size_t k : {2u, 9u, 40u}) {
    const Clustering start = kmeans(view, {.k = k, .max_iterations = 0});
    const Clustering done = kmeans(view, {.k = k, .start = start.centres, .max_iterations = 7, .tolerance = 0});
    CHECK(done.centres == lloyd(h, start.centres, static_cast<int>(done.iterations)));
    CHECK(done.inertia <= start.inertia);
  }

  // Of more pixels of the same colours, in which swaps are tried one by one, as good a palette or a better one.
  for (unsigned seed = 0; seed < 6; ++seed) {
    for (const std::size_t channels : {3u, 4u}) {
      const auto pixels = sample::image(40, 30, channels, seed);
      const Histogram few = histogram(sample::pixels(pixels, 40, channels));
      Histogram many = few;
      for (std::int64_t& count : many.counts) count *= 1024;
      for (const std::size_t k : {4u, 12u}) {
        const double before = kmeans({few.colors, few.counts}, {.k = k}).inertia;
        const double after = kmeans({many.colors, many.counts}, {.k = k}).inertia / 1024;
        CHECK(after <= before * 1.001);  // the last passes may lose a little
      }
    }
  }

  const std::vector<Rgba> red = {{204, 0, 0, 255}};
  const Clustering with_red = kmeans(view, {.k = 8, .protected_colors = red});
  CHECK(to_straight(with_red.centres[0]) == red[0]);
  CHECK(with_red.centres.size() == 8);

  const std::vector<Point> nonsense = {{std::numeric_limits<double>::quiet_NaN(), 0, 0, 255}};
  CHECK_THROWS(kmeans(view, {.k = 1, .start = nonsense}));
  CHECK_THROWS(kmeans(view, {.k = 0}));
  CHECK_THROWS(kmeans(view, {.k = 257}));
  CHECK_THROWS(kmeans({}, {.k = 2}));
  CHECK_THROWS(kmeans(view, {.k = 2, .tolerance = std::nan("")}));
}
