// A browser that knows no modules gets the plain pages.
location.replace('/basic')
