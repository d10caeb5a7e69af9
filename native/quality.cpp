#include "quality.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "dispatch.hpp"

namespace chromapress {
namespace {

constexpr std::size_t kRadius = 5;
constexpr std::size_t kWindow = 2 * kRadius + 1;
constexpr double kC1 = (0.01 * 255) * (0.01 * 255);
constexpr double kC2 = (0.03 * 255) * (0.03 * 255);
// exp(-i^2 / (2 * 1.5^2)) for i = 0 to 5, spelt out because exp differs in the last bit between libraries.
constexpr std::array<double, kRadius + 1> kGaussian = {
    1.0, 0.80073740291680806, 0.41111229050718745, 0.13533528323661270, 0.028565500784550377, 0.0038659201394768076};

// From the rim to the middle; the other half is the same.
constexpr std::array<float, kRadius + 1> half_window() {
  double sum = kGaussian[0];
  for (std::size_t i = 1; i <= kRadius; ++i) sum += 2 * kGaussian[i];
  std::array<float, kRadius + 1> w{};
  for (std::size_t i = 0; i <= kRadius; ++i) w[i] = static_cast<float>(kGaussian[kRadius - i] / sum);
  return w;
}
constexpr std::array<float, kRadius + 1> kWeights = half_window();

// Squared differences of so many levels add up within 32 bits.
constexpr std::size_t kLevelsPerSum = 65536;

void require_same_shape(const Pixels& a, const Pixels& b) {
  if (a.width != b.width || a.height != b.height || a.channels != b.channels) {
    throw std::invalid_argument("the images differ in shape");
  }
  if (a.size() == 0) throw std::invalid_argument("the images are empty");
}

double level(const Pixels& image, std::size_t pixel, std::size_t channel) {
  const std::uint8_t* p = image.data.data() + pixel * image.channels;
  if (image.channels == 3 || channel == 3) return p[channel];
  return p[channel] * static_cast<double>(p[3]) / 255.0;
}

CHROMAPRESS_DISPATCH
double squared_error(const std::uint8_t* a, const std::uint8_t* b, std::size_t count) {
  std::uint64_t error = 0;
  for (std::size_t begin = 0; begin < count; begin += kLevelsPerSum) {
    std::uint32_t sum = 0;
    for (std::size_t i = begin; i < std::min(count, begin + kLevelsPerSum); ++i) {
      const int difference = a[i] - b[i];
      sum += static_cast<std::uint32_t>(difference * difference);
    }
    error += sum;
  }
  return static_cast<double>(error);
}

// Levels are taken from here, so that their squares are small and keep their digits in a float.
constexpr double kMiddle = 128;

// Of one window: the means of a and of a - b, and of a^2 + b^2 and (a - b)^2. Written with the differences, what floats
// lose is as small as the distance of the similarity from 1.
template <typename Real>
CHROMAPRESS_INLINE Real similarity(Real a, Real difference, Real squares, Real squared_difference) {
  const Real b = a - difference;
  const Real level_a = a + static_cast<Real>(kMiddle), level_b = b + static_cast<Real>(kMiddle);
  const Real luminance = 1 - difference * difference / (level_a * level_a + level_b * level_b + static_cast<Real>(kC1));
  const Real variances = squares - a * a - b * b;
  const Real structure = 1 - (squared_difference - difference * difference) / (variances + static_cast<Real>(kC2));
  return luminance * structure;
}

double ssim_of_whole(const Pixels& a, const Pixels& b, std::size_t channel) {
  std::array<double, 4> m{};
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double va = level(a, i, channel) - kMiddle, vb = level(b, i, channel) - kMiddle;
    m[0] += va;
    m[1] += va - vb;
    m[2] += va * va + vb * vb;
    m[3] += (va - vb) * (va - vb);
  }
  for (double& v : m) v /= static_cast<double>(a.size());
  return similarity(m[0], m[1], m[2], m[3]);
}

// Rows hold all channels of a pixel side by side.
using Row = std::vector<float>;

void load(const Pixels& image, std::size_t y, Row& to) {
  if (image.channels == 3) {
    const std::uint8_t* from = image.data.data() + y * to.size();
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(from[i] - static_cast<int>(kMiddle));
    return;
  }
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] = static_cast<float>(level(image, y * image.width + i / 4, i % 4) - kMiddle);
  }
}

CHROMAPRESS_DISPATCH
void multiply(const Row& a, const Row& b, std::array<Row, 4>& products) {
  // __restrict, here and below: with so many pointers, compilers give up to show that none of them overlap.
  float* __restrict difference = products[1].data();
  float* __restrict squares = products[2].data();
  float* __restrict squared_difference = products[3].data();
  std::copy(a.begin(), a.end(), products[0].begin());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float d = a[i] - b[i];
    difference[i] = d;
    squares[i] = a[i] * a[i] + b[i] * b[i];
    squared_difference[i] = d * d;
  }
}

// to[i] = sum over t of weight[t] * taps[t][i]
CHROMAPRESS_DISPATCH
void convolve(const std::array<const float*, kWindow>& taps, float* __restrict to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    float sum = kWeights[kRadius] * taps[kRadius][i];
    for (std::size_t t = 0; t < kRadius; ++t) sum += kWeights[t] * (taps[t][i] + taps[kWindow - 1 - t][i]);
    to[i] = sum;
  }
}

CHROMAPRESS_DISPATCH
void add_similarities(const std::array<Row, 4>& means, std::vector<double>& sums) {
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sums[i] += similarity(means[0][i], means[1][i], means[2][i], means[3][i]);
  }
}

double ssim_of_windows(const Pixels& a, const Pixels& b) {
  const std::size_t width = a.width * a.channels, columns = (a.width - 2 * kRadius) * a.channels;
  Row row_a(width), row_b(width);
  std::array<Row, 4> products, means;
  // The last 11 rows of each product, filtered along the row; row y lies in slot y % 11.
  std::array<std::array<Row, kWindow>, 4> ring;
  for (std::size_t q = 0; q < 4; ++q) {
    products[q].resize(width);
    means[q].resize(columns);
    for (Row& row : ring[q]) row.resize(columns);
  }
  std::vector<double> sums(columns);
  std::array<const float*, kWindow> taps{};
  for (std::size_t y = 0; y < a.height; ++y) {
    load(a, y, row_a);
    load(b, y, row_b);
    multiply(row_a, row_b, products);
    for (std::size_t q = 0; q < 4; ++q) {
      for (std::size_t t = 0; t < kWindow; ++t) taps[t] = products[q].data() + t * a.channels;
      convolve(taps, ring[q][y % kWindow].data(), columns);
    }
    if (y + 1 < kWindow) continue;
    for (std::size_t q = 0; q < 4; ++q) {
      for (std::size_t t = 0; t < kWindow; ++t) taps[t] = ring[q][(y + 1 + t) % kWindow].data();
      convolve(taps, means[q].data(), columns);
    }
    add_similarities(means, sums);
  }
  return std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(columns * (a.height - 2 * kRadius));
}

}  // namespace

double psnr(const Pixels& a, const Pixels& b) {
  require_same_shape(a, b);
  double error = 0;
  if (a.channels == 3) {
    error = squared_error(a.data.data(), b.data.data(), 3 * a.size());
  } else {
    for (std::size_t i = 0; i < a.size(); ++i) {
      for (std::size_t c = 0; c < 4; ++c) {
        const double difference = level(a, i, c) - level(b, i, c);
        error += difference * difference;
      }
    }
  }
  if (error == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.size() * a.channels) / error);
}

double ssim(const Pixels& a, const Pixels& b) {
  require_same_shape(a, b);
  if (a.width >= kWindow && a.height >= kWindow) return ssim_of_windows(a, b);
  double sum = 0;
  for (std::size_t c = 0; c < a.channels; ++c) sum += ssim_of_whole(a, b, c);
  return sum / static_cast<double>(a.channels);
}

}  // namespace chromapress
