class NotesController < ApplicationController
  def show
    @note = session[:note]
  end

  def create
    session[:note] = params.require(:note)
    redirect_to root_url, status: :see_other
  end

  def where
    render plain: request.original_url
  end
end
